#pragma once
// A reference case: tensors computed by PyTorch and PEFT, and the attributes that say how. It keeps account of what was read and compared,
// so that nothing in a file is passed over.

#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "core/serialize.hpp"

namespace lora::test {

using Json = nlohmann::json;

class Case {
 public:
  /// @param file  must outlive this. @param device  where it is computed. @throws Error if the metadata has no JSON object `attrs`
  explicit Case(const SafetensorsFile& file, const Device& device = kCpu);
  const Device& device() const { return device_; }

  /// A copy of an input on the device. @throws Error if the file lacks it
  Tensor input(const std::string& name);
  bool has_tensor(const std::string& name) const { return file_.contains(name); }

  /// An attribute, converted. @throws Error if it is absent or of another type
  template <class T>
  T attribute(const std::string& name) {
    read_attributes_.insert(name);
    require(attributes_.contains(name), "golden", "the case has no attribute '", name, "'");
    return attributes_[name].get<T>();
  }
  bool has_attribute(const std::string& name) const { return attributes_.contains(name); }
  const Json& attributes() const { return attributes_; }
  void mark_attribute_read(const std::string& name) { read_attributes_.insert(name); }

  /// The shape of an output. @throws Error if the file lacks it
  Shape expected_shape(const std::string& name) const { return file_.at(name).shape(); }
  /// Compares tensor `name` of the file with what was found, elementwise: |d| <= absolute + 1e-9 |ref|, where absolute is at most 1e-10
  /// and less where values and cotangent are small. Infinities and NaN must be where the reference has them.
  void expect(const std::string& name, const Tensor& found);

  /// Compares what was found with what the caller made of tensor `name` of the file, element by element, as `same` says.
  using Agreement = std::function<bool(double found, double expected, std::size_t i)>;
  void compare(const std::string& name, const Tensor& found, const Tensor& expected, const Agreement& same);
  /// A tensor of the file that compare() is for. @throws Error if the file lacks it
  const Tensor& reference(const std::string& name) const { return file_.at(name); }

  /// True if a comparison failed so far.
  bool failed() const { return !failures_.empty(); }
  /// What is wrong, a line each: differences, tensors and attributes that were not used, a case that compares nothing.
  std::vector<std::string> finish() const;

 private:
  const SafetensorsFile& file_;
  Device device_;
  Json attributes_;
  std::set<std::string> inputs_, compared_, read_attributes_;
  std::vector<std::string> failures_;
};

}  // namespace lora::test
