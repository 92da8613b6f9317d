#include "apps/mnist_lora/models.hpp"

#include "models/mlp.hpp"

namespace mnist_lora {

namespace {

struct Row {
  const char* name;
  std::unique_ptr<lora::nn::Module> (*make)();
};

template <class M>
std::unique_ptr<lora::nn::Module> make() {
  return std::make_unique<M>();
}

constexpr Row kModels[] = {{"mlp", make<lora::models::Mlp>}};

}  // namespace

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const Row& row : kModels) {
    names.emplace_back(row.name);
  }
  return names;
}

std::unique_ptr<lora::nn::Module> make_model(const std::string& name) {
  std::string known;
  for (const Row& row : kModels) {
    if (name == row.name) {
      return row.make();
    }
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  lora::fail("model", "there is no model '", name, "'; known are ", known);
}

}  // namespace mnist_lora
