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

double largest_of(const std::vector<double>& values) {
  double largest = 0.0;
  for (const double value : values) {
    largest = std::max(largest, std::abs(value));
  }
  return largest;
}

/// Equal, infinite and not-a-number values included, or near.
bool agree(double found, double expected, double absolute) {
  const bool same = found == expected || (std::isnan(found) && std::isnan(expected));
  return same || std::abs(found - expected) <= absolute + kRelative * std::abs(expected);
}

std::string difference(const std::string& name, const Tensor& found, const Tensor& expected, const Case::Agreement& same) {
  std::ostringstream text;
  if (!found.defined() || found.shape() != expected.shape() || found.dtype() != expected.dtype()) {
    text << name << " is " << found << ", expected " << expected;
    return std::move(text).str();
  }
  const auto a = found.to_vector<double>(), b = expected.to_vector<double>();
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!same(a[i], b[i], i)) {
      text.precision(17);
      text << name << " at " << i << " is " << a[i] << ", expected " << b[i];
      return std::move(text).str();
    }
  }
  return {};
}

}  // namespace

Case::Case(const SafetensorsFile& file, const Device& device) : file_(file), device_(device) {
  const auto at = file.metadata.find("attrs");
  require(at != file.metadata.end(), "golden", "the metadata has no 'attrs'");
  attributes_ = Json::parse(at->second);
  require(attributes_.is_object(), "golden", "the metadata's 'attrs' is not a JSON object: ", at->second);
}

Tensor Case::input(const std::string& name) {
  inputs_.insert(name);
  return to(clone(file_.at(name)), device_);
}

void Case::expect(const std::string& name, const Tensor& found) {
  if (!file_.contains(name)) {
    compared_.insert(name);
    failures_.push_back("the case has no " + name);
    return;
  }
  const double scale = file_.contains("cotangent") ? largest_of(file_.at("cotangent").to_vector<double>()) : 0.0;
  // Sums in f64 are right to some 1e-15 of their largest term; 1e-12 leaves room for terms larger than what is seen here, and does not let
  // small tensors off with the absolute tolerance of large ones.
  const double absolute = std::min(kAbsolute, 1e-12 * std::max(scale, largest_of(file_.at(name).to_vector<double>())));
  compare(name, found, file_.at(name), [absolute](double a, double b, std::size_t) { return agree(a, b, absolute); });
}

void Case::compare(const std::string& name, const Tensor& found, const Tensor& expected, const Agreement& same) {
  compared_.insert(name);
  const std::string failure = difference(name, found, expected, same);
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
