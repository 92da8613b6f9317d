// Bugs in kernels that the emulator reports without a sanitizer.

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <string>

#include "core/base/error.hpp"
#include "tests/emulator_bugs.hpp"
#include "tests/support/simt_options.hpp"

using lora::Error;
using lora::testing::Bug;
using lora::testing::bugs;
using lora::testing::Finder;
using lora::testing::run_bug;
using lora::testing::SimtOptions;

namespace {

constexpr int kOrders = 10;

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

}  // namespace

TEST_CASE("emulator: misuse of barriers, warps and copies is reported in every order", "[emulator]") {
  for (const Bug& bug : bugs()) {
    if (bug.finder == Finder::engine) {
      for (int order = 0; order < kOrders; ++order) {
        const SimtOptions options(order, 1);
        INFO(bug.name << " in order " << order);
        CHECK_THROWS_WITH(run_bug(bug, true), Catch::Contains(bug.report) && Catch::StartsWith("[" + std::string(bug.name) + "] block ("));
        CHECK_NOTHROW(run_bug(bug, false));  // also that the failure left nothing behind
      }
    }
  }
}

#ifndef LORA_SANITIZED  // a sanitizer would end the program at what these do
namespace {

/// Whether the planted bug shows in this order.
bool shows(const Bug& bug, int order) {
  const SimtOptions options(order, 1);
  const std::vector<float> right = run_bug(bug, false);
  try {
    return !same_bits(run_bug(bug, true), right);
  } catch (const Error&) {
    return true;
  }
}

}  // namespace

TEST_CASE("emulator: missing barriers and memory that nobody wrote change results in some order", "[emulator]") {
  for (const Bug& bug : bugs()) {
    if (bug.finder == Finder::values) {
      std::string orders;
      for (int order = 0; order < kOrders; ++order) {
        orders += shows(bug, order) ? std::to_string(order) : "-";
      }
      INFO(bug.name << " shows in the orders " << orders);
      CHECK(orders != std::string(kOrders, '-'));
    }
  }
}
#endif

TEST_CASE("emulator: kernels without bugs have the same results in every order and on several OS threads", "[emulator]") {
  for (const Bug& bug : bugs()) {
    const std::vector<float> right = run_bug(bug, false);
    for (int order = 0; order < kOrders; ++order) {
      const SimtOptions options(order, 1 + order % 2);
      INFO(bug.name << " in order " << order);
      CHECK(same_bits(run_bug(bug, false), right));
    }
  }
}
