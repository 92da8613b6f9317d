#include "tests/golden_check/case.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "core/ops/convert.hpp"

namespace lora::test {

namespace {

/// What every case says of itself.
const std::set<std::string> kCommonAttributes{"case", "kind", "torch", "peft"};

constexpr double kRelative = 1e-9, kAbsolute = 1e-10;

/// Results in f64 are right to some 1e-15 of the largest term, so small tensors are not let off with the absolute tolerance of large ones:
/// it is at most 1e-13 of the largest value, with 1e-15 for sums of terms that cancel.
double absolute_tolerance(const std::vector<double>& expected) {
  double largest = 0.0;
  for (const double value : expected) {
    largest = std::max(largest, std::abs(value));
  }
  return std::min(kAbsolute, 1e-13 * largest + 1e-15);
}

std::string difference(const std::string& name, const Tensor& found, const Tensor& expected) {
  std::ostringstream text;
  if (!found.defined() || found.shape() != expected.shape() || found.dtype() != expected.dtype()) {
    text << name << " is " << found << ", expected " << expected;
    return std::move(text).str();
  }
  const auto a = found.to_vector<double>(), b = expected.to_vector<double>();
  const double absolute = absolute_tolerance(b);
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!(std::abs(a[i] - b[i]) <= absolute + kRelative * std::abs(b[i]))) {
      text.precision(17);
      text << name << " at " << i << " is " << a[i] << ", expected " << b[i];
      return std::move(text).str();
    }
  }
  return {};
}

}  // namespace

Case::Case(const SafetensorsFile& file) : file_(file) {
  const auto at = file.metadata.find("attrs");
  require(at != file.metadata.end(), "golden", "the metadata has no 'attrs'");
  attributes_ = Json::parse(at->second);
  require(attributes_.is_object(), "golden", "the metadata's 'attrs' is not a JSON object: ", at->second);
}

Tensor Case::input(const std::string& name) {
  inputs_.insert(name);
  return clone(file_.at(name));
}

void Case::expect(const std::string& name, const Tensor& found) {
  compared_.insert(name);
  const std::string failure = file_.contains(name) ? difference(name, found, file_.at(name)) : "the case has no " + name;
  if (!failure.empty()) {
    failures_.push_back(failure);
  }
}

std::vector<std::string> Case::finish() const {
  std::vector<std::string> failures = failures_;
  for (const auto& [name, tensor] : file_.tensors) {
    if (inputs_.count(name) + compared_.count(name) == 0) {
      failures.push_back("unknown tensor " + name);
    }
  }
  for (const auto& attribute : attributes_.items()) {
    if (kCommonAttributes.count(attribute.key()) + read_attributes_.count(attribute.key()) == 0) {
      failures.push_back("unknown attribute '" + attribute.key() + "'");
    }
  }
  if (compared_.empty()) {
    failures.emplace_back("nothing is compared");
  }
  return failures;
}

}  // namespace lora::test
