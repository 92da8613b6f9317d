#include "nn/csv_log.hpp"

#include <charconv>
#include <fstream>
#include <string_view>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/file.hpp"

namespace lora::nn {

namespace {

constexpr std::string_view kHeader = "run,epoch,loss,lr,val_accuracy,val_loss,seconds\n";

std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) {
    return text;
  }
  std::string out = "\"";
  for (const char c : text) {
    out += c;
    if (c == '"') {
      out += c;
    }
  }
  return out + '"';
}

std::string number(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value);
  return std::string(text, end.ptr);
}

std::string row(const std::string& run, const EpochRecord& r) {
  std::string line = quoted(run) + ',' + std::to_string(r.epoch);
  for (const double value : {r.loss, r.lr, r.val_accuracy, r.val_loss, r.seconds}) {
    line += ',' + number(value);
  }
  return line + '\n';
}

/// Rows with their line ends; a last one without a line end is left out. Line ends inside quotes belong to the row.
std::vector<std::string_view> complete_rows(std::string_view text) {
  std::vector<std::string_view> rows;
  bool inside = false;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    inside = inside != (text[i] == '"');
    if (text[i] == '\n' && !inside) {
      rows.push_back(text.substr(begin, i + 1 - begin));
      begin = i + 1;
    }
  }
  return rows;
}

/// Whether a row's first field, written as quoted() does, is `name`.
bool is_of(std::string_view text, const std::string& name) {
  const std::string start = quoted(name) + ',';
  return text.substr(0, start.size()) == start;
}

}  // namespace

CsvLog::CsvLog(std::filesystem::path path, Existing existing) : path_(std::move(path)) {
  if (existing == Existing::keep && std::filesystem::exists(path_)) {
    const std::string text = read_text_file(path_);
    const bool known = std::string_view(text).substr(0, kHeader.size()) == kHeader;
    require(known, "csv_log", path_.string(), " does not start with the columns of a training log; remove it or choose another folder");
    return;
  }
  write_file_atomically(path_, kHeader);
}

void CsvLog::begin(const std::string& run, const History& history) {
  const std::string before = read_text_file(path_);
  std::string text(kHeader);
  for (const std::string_view line : complete_rows(before)) {
    if (line != kHeader && !is_of(line, run)) {
      text += line;
    }
  }
  for (const EpochRecord& record : history) {
    text += row(run, record);
  }
  write_file_atomically(path_, text);
  run_ = run;
}

void CsvLog::append(const EpochRecord& record) {
  std::ofstream file(path_, std::ios::binary | std::ios::app);
  file << row(run_, record) << std::flush;
  require(file.good(), "csv_log", "cannot add a row to ", path_.string(), "; check the disk's space and the file's permissions");
}

}  // namespace lora::nn
