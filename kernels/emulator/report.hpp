#pragma once
// What is said about a block that failed.

#include <string>
#include <string_view>

#include "kernels/emulator/block.hpp"

namespace lora::simt {

bool same_place(const Loc& a, const Loc& b);

/// "block (0,0,0), thread (3,0,0): what at file:line"
std::string describe_thread(const Block& block, const Thread& thread, std::string_view what, Loc at);
/// How many threads wait at which place, and how many have exited: why nobody can go on.
std::string describe_deadlock(const Block& block);
/// The running thread reached a barrier while others wait at another one.
std::string describe_other_barrier(Block& block, Loc at);
std::string describe_damage(const Block& block);

}  // namespace lora::simt
