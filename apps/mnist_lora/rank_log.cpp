#include "apps/mnist_lora/rank_log.hpp"

#include <sstream>

namespace mnist_lora {

void RankLog::record(lora::Index epoch) {
  if (allocator_ == nullptr) {
    return;
  }
  for (const auto& [layer, rank] : allocator_->ranks()) {
    rows_.push_back({static_cast<int>(epoch), layer, static_cast<int>(rank)});
  }
}

std::string RankLog::note() const {
  std::ostringstream text;
  for (const RankRow& row : rows_) {
    text << row.epoch << ' ' << row.rank << ' ' << row.layer << '\n';
  }
  return std::move(text).str();
}

void RankLog::resume(const std::string& note) {
  rows_.clear();
  std::istringstream text(note);
  for (RankRow row; text >> row.epoch >> row.rank && text.get() == ' ' && std::getline(text, row.layer);) {
    rows_.push_back(row);
  }
}

}  // namespace mnist_lora
