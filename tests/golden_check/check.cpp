#include "tests/golden_check/check.hpp"

#include <exception>
#include <functional>
#include <map>

namespace lora::test {

namespace {

using Check = std::function<void(Case&)>;

const Check& check_of(const Json& kind) {
  static const std::map<std::string, Check> checks{
      {"adalora", check_adalora},     {"adapter", check_adapter}, {"op", check_op},
      {"optimizer", check_optimizer}, {"quant", check_quant},     {"scheduler", check_scheduler},
  };
  const auto at = checks.find(kind.is_string() ? kind.get<std::string>() : "");
  require(at != checks.end(), "golden", "unknown kind of case: ", kind.dump());
  return at->second;
}

Verdict run(const SafetensorsFile& file, const Device& device) {
  Case c(file, device);
  require(c.has_attribute("kind"), "golden", "the case has no attribute 'kind'");
  check_of(c.attributes().at("kind"))(c);
  const auto failures = c.finish();
  return {failures.empty() ? Outcome::passed : Outcome::failed, failures};
}

}  // namespace

Verdict check_case(const SafetensorsFile& file, const Device& device) {
  try {
    return run(file, device);
  } catch (const Skip& skipped) {
    return {Outcome::skipped, {skipped.reason}};
  } catch (const std::exception& error) {
    return {Outcome::failed, {error.what()}};
  }
}

}  // namespace lora::test
