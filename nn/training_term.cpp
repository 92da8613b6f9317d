#include "nn/training_term.hpp"

#include <string>

#include "core/ops/convert.hpp"

namespace lora::nn {

namespace {

std::string prefix_of(std::size_t i) { return std::to_string(i) + "."; }

}  // namespace

NamedTensors state_of(const std::vector<TrainingTerm*>& terms) {
  NamedTensors all;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    for (const auto& entry : terms[i]->state()) {
      all.emplace_back(prefix_of(i) + entry.first, clone(entry.second.detach()));
    }
  }
  return all;
}

void load_state(const std::vector<TrainingTerm*>& terms, const NamedTensors& state) {
  std::vector<NamedTensors> parts(terms.size());
  for (const auto& entry : state) {
    std::size_t i = 0;
    while (i < terms.size() && entry.first.compare(0, prefix_of(i).size(), prefix_of(i)) != 0) {
      ++i;
    }
    require(i < terms.size(), "trainer", "the state has '", entry.first, "', which is of no term of this training; give it the same terms");
    parts[i].emplace_back(entry.first.substr(prefix_of(i).size()), entry.second);
  }
  for (std::size_t i = 0; i < terms.size(); ++i) {
    terms[i]->load_state(parts[i]);
  }
}

}  // namespace lora::nn
