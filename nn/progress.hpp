#pragma once
// What people see of a training under way: a bar on a terminal, a line an epoch elsewhere.

#include <functional>
#include <ostream>
#include <string>

#include "nn/history.hpp"

namespace lora::nn {

enum class ProgressStyle { bar, lines, quiet };

/// The bar if stderr is a terminal, else lines.
ProgressStyle progress_style_for_stderr();

/// Tells on stderr how a training goes; never writes to stdout. Give step() and epoch() to TrainCallbacks.
///
///   digits r=8  epoch 2/10 [====>               ]  23%  loss 0.3124  14203 samples/s  0:41 left  val 91.25%
///   digits r=8: epoch 2/10  loss 0.3124  lr 0.001  val accuracy 91.25%  val loss 0.2981  4.1 s
///
/// The bar is redrawn at most ten times a second; on a narrow terminal it is shorter or left out, and what does not fit at the end of the
/// line is left out. Rate is that of the steps; time left is for all epochs, from the share that this reporter has seen done (so early
/// stopping may end sooner).
class ProgressReporter {
 public:
  /// Seconds from any start.
  using Clock = std::function<double()>;

  /// @param run  the name in front of each line. @param epochs  of the whole training
  ProgressReporter(std::string run, Index epochs, ProgressStyle style = progress_style_for_stderr());
  /// The same to another stream with another clock. @param columns  characters on a line, asked for each time; null or 0: any number
  ProgressReporter(std::string run, Index epochs, ProgressStyle style, std::ostream& out, Clock clock, std::function<int()> columns = {});
  /// Ends the bar's line.
  ~ProgressReporter();
  ProgressReporter(const ProgressReporter&) = delete;
  ProgressReporter& operator=(const ProgressReporter&) = delete;

  void step(const StepRecord& record);
  void epoch(const EpochRecord& record);

 private:
  void draw(const StepRecord& record, double now);
  std::string line_of(const StepRecord& record, double now, int bar_width) const;
  double seconds_left(double share, double now) const;

  std::string run_;
  Index epochs_;
  ProgressStyle style_;
  std::ostream& out_;
  Clock clock_;
  std::function<int()> columns_;
  std::string last_validation_;
  double start_time_, first_share_ = 0;  // of the first step seen: the time before it was called
  double epoch_start_;                   // for the rate
  Index epoch_samples_ = 0;              // since then
  double next_draw_ = 0;
  bool started_ = false, drawn_ = false;
};

}  // namespace lora::nn
