#include "nn/progress.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <sstream>

#include "core/base/terminal.hpp"

namespace lora::nn {

namespace {

constexpr double kDrawEvery = 0.1;  // seconds
constexpr int kBarWidth = 20;
constexpr int kLeastBarWidth = 4;  // with less room there is no bar

double steady_seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// With a space before it; nothing at all if the width is 0.
std::string bar(double share, int width) {
  if (width == 0) {
    return "";
  }
  const int full = std::clamp(static_cast<int>(share * width), 0, width);
  std::string text(static_cast<std::size_t>(full), '=');
  if (full < width) {
    text += '>';
  }
  text.resize(static_cast<std::size_t>(width), ' ');
  return " [" + text + ']';
}

/// 0:41, 12:05 or 1:02:03.
std::string duration(double seconds) {
  const auto s = static_cast<long long>(std::llround(std::clamp(seconds, 0.0, 1e9)));
  std::ostringstream text;
  text << std::setfill('0');
  if (s >= 3600) {
    text << s / 3600 << ':' << std::setw(2);
  }
  text << s / 60 % 60 << ':' << std::setw(2) << s % 60;
  return text.str();
}

std::string percent(double value) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(2) << value << '%';
  return text.str();
}

/// Without the parts at the end that do not fit: half a number would be another number.
std::string cut(const std::string& line, std::size_t room) {
  return line.size() <= room ? line : line.substr(0, std::min(room, line.rfind("  ", room)));
}

/// Share of the whole training that is done after a step.
double share_done(const StepRecord& r, Index epochs) {
  const double in_epoch = static_cast<double>(r.step) / static_cast<double>(std::max<Index>(r.steps, 1));
  return std::min(1.0, (static_cast<double>(r.epoch - 1) + in_epoch) / static_cast<double>(std::max<Index>(epochs, 1)));
}

}  // namespace

ProgressStyle progress_style_for_stderr() { return stderr_is_terminal() ? ProgressStyle::bar : ProgressStyle::lines; }

ProgressReporter::ProgressReporter(std::string run, Index epochs, ProgressStyle style)
    : ProgressReporter(std::move(run), epochs, style, std::cerr, steady_seconds, stderr_columns) {}

ProgressReporter::ProgressReporter(std::string run, Index epochs, ProgressStyle style, std::ostream& out, Clock clock,
                                   std::function<int()> columns)
    : run_(std::move(run)),
      epochs_(epochs),
      style_(style),
      out_(out),
      clock_(std::move(clock)),
      columns_(std::move(columns)),
      start_time_(clock_()),
      epoch_start_(start_time_) {}

ProgressReporter::~ProgressReporter() {
  if (drawn_) {
    out_ << '\n' << std::flush;
  }
}

void ProgressReporter::step(const StepRecord& record) {
  if (style_ != ProgressStyle::bar) {
    return;
  }
  if (!started_) {
    const double one = 1.0 / static_cast<double>(std::max<Index>(record.steps, 1)) / static_cast<double>(std::max<Index>(epochs_, 1));
    first_share_ = share_done(record, epochs_) - one;
    started_ = true;
  }
  epoch_samples_ += record.samples;
  const double now = clock_();
  if (now >= next_draw_ || record.step == record.steps) {
    draw(record, now);
    next_draw_ = now + kDrawEvery;
  }
}

double ProgressReporter::seconds_left(double share, double now) const {
  const double seen = share - first_share_;
  return seen > 0 ? (now - start_time_) * (1 - share) / seen : 0;
}

std::string ProgressReporter::line_of(const StepRecord& r, double now, int bar_width) const {
  const double share = share_done(r, epochs_);
  const double spent = now - epoch_start_;
  const double rate = spent > 0 ? static_cast<double>(epoch_samples_) / spent : 0;
  std::ostringstream line;
  line << run_ << "  epoch " << r.epoch << '/' << epochs_ << bar(share, bar_width) << ' ' << std::setw(3) << static_cast<int>(share * 100)
       << "%  loss " << std::fixed << std::setprecision(4) << r.mean_loss << "  " << std::setprecision(0) << rate << " samples/s  "
       << duration(seconds_left(share, now)) << " left" << last_validation_;
  return std::move(line).str();
}

void ProgressReporter::draw(const StepRecord& r, double now) {
  std::string line = line_of(r, now, kBarWidth);
  if (const int columns = columns_ ? columns_() : 0; columns > 0) {  // the last column stays free: a full line makes some terminals wrap
    const auto room = static_cast<std::size_t>(columns - 1);
    const int left = kBarWidth - static_cast<int>(line.size() - std::min(line.size(), room));
    line = cut(line_of(r, now, left >= kLeastBarWidth ? left : 0), room);
  }
  out_ << '\r' << line << "\x1b[K" << std::flush;
  drawn_ = true;
}

void ProgressReporter::epoch(const EpochRecord& r) {
  last_validation_ = "  val " + percent(r.val_accuracy);
  epoch_start_ = clock_();
  epoch_samples_ = 0;
  if (style_ != ProgressStyle::lines) {
    return;
  }
  std::ostringstream line;
  line << run_ << ": epoch " << r.epoch << '/' << epochs_ << "  loss " << std::fixed << std::setprecision(4) << r.loss << "  lr "
       << std::defaultfloat << std::setprecision(4) << r.lr << "  val accuracy " << percent(r.val_accuracy) << "  val loss " << std::fixed
       << std::setprecision(4) << r.val_loss << "  " << std::setprecision(1) << r.seconds << " s\n";
  out_ << line.str() << std::flush;
}

}  // namespace lora::nn
