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

double steady_seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::string bar(double share) {
  const int full = std::clamp(static_cast<int>(share * kBarWidth), 0, kBarWidth);
  std::string text(static_cast<std::size_t>(full), '=');
  if (full < kBarWidth) {
    text += '>';
  }
  text.resize(kBarWidth, ' ');
  return '[' + text + ']';
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

/// Share of the whole training that is done after a step.
double share_done(const StepRecord& r, Index epochs) {
  const double in_epoch = static_cast<double>(r.step) / static_cast<double>(std::max<Index>(r.steps, 1));
  return std::min(1.0, (static_cast<double>(r.epoch - 1) + in_epoch) / static_cast<double>(std::max<Index>(epochs, 1)));
}

}  // namespace

ProgressStyle progress_style_for_stderr() { return stderr_is_terminal() ? ProgressStyle::bar : ProgressStyle::lines; }

ProgressReporter::ProgressReporter(std::string run, Index epochs, ProgressStyle style)
    : ProgressReporter(std::move(run), epochs, style, std::cerr, steady_seconds) {}

ProgressReporter::ProgressReporter(std::string run, Index epochs, ProgressStyle style, std::ostream& out, Clock clock)
    : run_(std::move(run)),
      epochs_(epochs),
      style_(style),
      out_(out),
      clock_(std::move(clock)),
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

void ProgressReporter::draw(const StepRecord& r, double now) {
  const double share = share_done(r, epochs_);
  const double spent = now - epoch_start_;
  const double rate = spent > 0 ? static_cast<double>(epoch_samples_) / spent : 0;
  std::ostringstream line;
  line << '\r' << run_ << "  epoch " << r.epoch << '/' << epochs_ << ' ' << bar(share) << ' ' << std::setw(3)
       << static_cast<int>(share * 100) << "%  loss " << std::fixed << std::setprecision(4) << r.mean_loss << "  " << std::setprecision(0)
       << rate << " samples/s  " << duration(seconds_left(share, now)) << " left" << last_validation_ << "\x1b[K";
  out_ << line.str() << std::flush;
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
