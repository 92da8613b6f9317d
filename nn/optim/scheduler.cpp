#include "nn/optim/scheduler.hpp"

#include <cmath>

namespace lora::optim::detail {

void check_keys(std::string_view where, const SchedulerState& state, const SchedulerState& expected) {
  for (const auto& entry : expected) {
    require(state.count(entry.first) != 0, where, "the state lacks '", entry.first, "'; it is of another scheduler or damaged");
  }
  for (const auto& entry : state) {
    require(expected.count(entry.first) != 0, where, "the state has an unknown '", entry.first, "'; it is of another scheduler");
  }
}

std::int64_t count_in(std::string_view where, const SchedulerState& state, const std::string& key) {
  const double value = state.at(key);
  const bool whole = value >= 0 && value < 0x1p53 && std::floor(value) == value;
  require(whole, where, "state '", key, "' is ", value, "; it must be a whole number of 0 or more");
  return static_cast<std::int64_t>(value);
}

}  // namespace lora::optim::detail
