#pragma once
// The ranks that a method chooses for layers, epoch by epoch.

#include <string>
#include <vector>

#include "apps/mnist_lora/results.hpp"
#include "lora/rank_allocator.hpp"

namespace mnist_lora {

class RankLog {
 public:
  /// @param term  of the training; may be null. Stays empty unless it allocates ranks
  explicit RankLog(const lora::nn::TrainingTerm* term) : allocator_(dynamic_cast<const lora::RankAllocator*>(term)) {}

  /// Adds the ranks of now. @param epoch  that has ended; 0 is the start
  void record(lora::Index epoch);
  const std::vector<RankRow>& rows() const { return rows_; }

  /// The rows as text, for a checkpoint.
  std::string note() const;
  /// Takes up rows from note().
  void resume(const std::string& note);

 private:
  const lora::RankAllocator* allocator_;
  std::vector<RankRow> rows_;
};

}  // namespace mnist_lora
