#pragma once
// The log of training runs as a CSV table with a row for each epoch.

#include <filesystem>
#include <string>

#include "nn/history.hpp"

namespace lora::nn {

/// Columns: run,epoch,loss,lr,val_accuracy,val_loss,seconds (units as in EpochRecord), quoted where RFC 4180 asks for it; numbers in the
/// shortest form that reads back the same. Several runs may stand in one file, one after the other.
class CsvLog {
 public:
  enum class Existing { replace, keep };

  /// Starts a new file, or goes on with the one that is there.
  /// @throws Error naming the file if it cannot be written, or is to be kept and is not such a log; then it is as it was
  CsvLog(std::filesystem::path path, Existing existing);

  /// The rows that follow are of this run. Older rows of it are replaced by `history` (a resumed run gives what it has so far), so that no
  /// epoch stands there twice; rows of other runs stay, an incomplete last row goes. The file is rewritten whole or not at all.
  void begin(const std::string& run, const History& history = {});

  /// Adds a row; it is in the file when this returns.
  void append(const EpochRecord& record);

 private:
  std::filesystem::path path_;
  std::string run_;
};

}  // namespace lora::nn
