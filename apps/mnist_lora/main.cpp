#include "apps/mnist_lora/commands.hpp"

int main(int argc, char** argv) { return mnist_lora::run_program(argc, argv); }
