// The entry point of the test program.
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#include <cstdlib>

#ifdef LORA_COUNT_LAUNCHES
#include "tests/support/launches.hpp"
#endif

int main(int argc, char** argv) {
  const int failed = Catch::Session().run(argc, argv);
#ifdef LORA_COUNT_LAUNCHES
  if (std::getenv("LORA_CHECK_LAUNCHES") != nullptr) {
    const int missing = lora::test::check_launches();
    return failed != 0 ? failed : missing;
  }
#endif
  return failed;
}
