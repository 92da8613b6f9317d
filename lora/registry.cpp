#include "lora/registry.hpp"

#include <array>

namespace lora {

extern const MethodRow kAdaLoraRow;      // adalora_files.cpp
extern const MethodRow kDynamicLoraRow;  // dynamic_lora_files.cpp
extern const MethodRow kLoraRow;         // lora_files.cpp

namespace {

constexpr std::array kRows{
    &kAdaLoraRow,
    &kDynamicLoraRow,
    &kLoraRow,
};

}  // namespace

std::span<const MethodRow* const> method_rows() { return kRows; }

const MethodRow& method_row(std::string_view peft_type) {
  std::string known;
  for (const MethodRow* row : method_rows()) {
    if (row->peft_type == peft_type) {
      return *row;
    }
    known += (known.empty() ? "" : ", ") + std::string(row->peft_type);
  }
  fail("adapter_config", "'peft_type' is '", peft_type, "'; known are ", known);
}

}  // namespace lora
