#include "nn/checkpoint.hpp"

#include <charconv>
#include <cstdint>
#include <set>

#include "core/serialize.hpp"

namespace lora::nn {

namespace {

constexpr const char* kFormat = "lora_core.checkpoint";
constexpr const char* kVersion = "1";
constexpr const char* kNote = "note.";
constexpr Index kHistoryColumns = 6;

using Metadata = std::map<std::string, std::string>;

Tensor numbers(const std::vector<double>& values) { return from_values(values, {static_cast<Index>(values.size())}); }

void add_all(NamedTensors& out, const std::string& prefix, const std::vector<Tensor>& tensors) {
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    out.emplace_back(prefix + std::to_string(i), tensors[i]);
  }
}

void add_snapshot(NamedTensors& out, const std::string& prefix, const Snapshot& snapshot) {
  add_all(out, prefix + "trained.", snapshot.trained);
  add_all(out, prefix + "buffers.", snapshot.buffers);
}

Tensor history_tensor(const History& history) {
  std::vector<double> values;
  for (const EpochRecord& r : history) {
    values.insert(values.end(), {static_cast<double>(r.epoch), r.loss, r.lr, r.val_accuracy, r.val_loss, r.seconds});
  }
  return from_values(values, {static_cast<Index>(history.size()), kHistoryColumns});
}

void add_group(NamedTensors& out, const std::string& prefix, const NamedTensors& group) {
  for (const auto& entry : group) {
    out.emplace_back(prefix + entry.first, entry.second);
  }
}

NamedTensors tensors_of(const TrainState& s) {
  NamedTensors out;
  add_snapshot(out, "model.", s.now);
  add_snapshot(out, "best.", s.best);
  add_group(out, "optimizer.", s.optimizer);
  add_group(out, "terms.", s.terms);
  add_group(out, "best_terms.", s.best_terms);
  for (const auto& entry : s.scheduler) {
    out.emplace_back("scheduler." + entry.first, numbers({entry.second}));
  }
  const TrainProgress& p = s.progress;
  out.emplace_back("progress", numbers({p.loss_sum, p.lr, p.seconds, p.best_accuracy, p.best_loss}));
  out.emplace_back("history", history_tensor(p.history));
  return out;
}

Metadata metadata_of(const TrainState& s) {
  const TrainProgress& p = s.progress;
  Metadata m{{"format", kFormat},
             {"version", kVersion},
             {"epoch", std::to_string(p.epoch)},
             {"step", std::to_string(p.step)},
             {"samples", std::to_string(p.samples)},
             {"best_epoch", std::to_string(p.best_epoch)},
             {"finished", p.finished ? "1" : "0"},
             {"generator.seed", std::to_string(s.generator.seed)},
             {"generator.stream", std::to_string(s.generator.stream)},
             {"generator.offset", std::to_string(s.generator.offset)}};
  for (const auto& note : s.notes) {
    m[kNote + note.first] = note.second;
  }
  return m;
}

/// Reads entries of a file by name, and knows which it has not read.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : where_("checkpoint " + path.string()), file_(load_safetensors(path)) {
    require(text("format") == kFormat, where_, "is a safetensors file, but no checkpoint of a training");
    require(text("version") == kVersion, where_, "is of version ", text("version"), ", this program reads ", kVersion,
            "; use the program that wrote it");
  }

  std::string text(const std::string& key) const {
    const auto it = file_.metadata.find(key);
    return it == file_.metadata.end() ? std::string() : it->second;
  }

  template <class T>
  T count(const std::string& key) const {
    const std::string digits = text(key);
    T value{};
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    const bool ok = error == std::errc() && end == digits.data() + digits.size() && value >= T{};
    require(ok, where_, "metadata '", key, "' is '", digits, "', not a whole number of 0 or more; the file is damaged");
    return value;
  }

  std::vector<double> doubles(const std::string& name, const Shape& shape) {
    require(file_.contains(name), where_, "lacks the tensor '", name, "'; the file is damaged");
    const Tensor tensor = file_.at(name);
    require(tensor.dtype() == DType::f64 && tensor.shape() == shape, where_, "tensor '", name, "' is ", tensor, " instead of ", DType::f64,
            shape, "; the file is damaged");
    used_.insert(name);
    return tensor.to_vector<double>();
  }

  std::vector<Tensor> list(const std::string& prefix) {
    std::vector<Tensor> out;
    for (std::string name = prefix + "0"; file_.contains(name); name = prefix + std::to_string(out.size())) {
      out.push_back(file_.at(name));
      used_.insert(name);
    }
    return out;
  }

  /// Tensors whose names start with `prefix`, under the rest of the name.
  NamedTensors group(const std::string& prefix) {
    NamedTensors out;
    for (const auto& entry : file_.tensors) {
      if (entry.first.compare(0, prefix.size(), prefix) == 0) {
        out.emplace_back(entry.first.substr(prefix.size()), entry.second);
        used_.insert(entry.first);
      }
    }
    return out;
  }

  Metadata notes() const {
    const std::string prefix = kNote;
    Metadata out;
    for (const auto& entry : file_.metadata) {
      if (entry.first.compare(0, prefix.size(), prefix) == 0) {
        out[entry.first.substr(prefix.size())] = entry.second;
      }
    }
    return out;
  }

  void expect_all_used() const {
    for (const auto& entry : file_.tensors) {
      require(used_.count(entry.first) != 0, where_, "has an unknown tensor '", entry.first, "'; the file is damaged");
    }
  }

  const std::string& where() const { return where_; }

 private:
  std::string where_;
  SafetensorsFile file_;
  std::set<std::string> used_;
};

Snapshot read_snapshot(Reader& file, const std::string& prefix) { return {file.list(prefix + "trained."), file.list(prefix + "buffers.")}; }

History read_history(Reader& file, Index epochs) {
  const std::vector<double> values = file.doubles("history", {epochs, kHistoryColumns});
  History history;
  for (std::size_t i = 0; i < values.size(); i += static_cast<std::size_t>(kHistoryColumns)) {
    const double* v = values.data() + i;
    const auto epoch = static_cast<Index>(history.size()) + 1;
    require(v[0] == static_cast<double>(epoch), file.where(), "tensor 'history' has epoch ", v[0], " in row ", epoch,
            "; the file is damaged");
    history.push_back({epoch, v[1], v[2], v[3], v[4], v[5]});
  }
  return history;
}

TrainProgress read_progress(Reader& file) {
  TrainProgress p;
  p.epoch = file.count<Index>("epoch");
  p.step = file.count<Index>("step");
  p.samples = file.count<Index>("samples");
  p.best_epoch = file.count<Index>("best_epoch");
  p.finished = file.count<Index>("finished") != 0;
  require(p.best_epoch <= p.epoch, file.where(), "metadata 'best_epoch' is ", p.best_epoch, " after ", p.epoch,
          " epochs; the file is damaged");
  const std::vector<double> v = file.doubles("progress", {5});
  p.loss_sum = v[0];
  p.lr = v[1];
  p.seconds = v[2];
  p.best_accuracy = v[3];
  p.best_loss = v[4];
  p.history = read_history(file, p.epoch);
  return p;
}

optim::SchedulerState read_scheduler(Reader& file) {
  optim::SchedulerState state;
  for (const auto& entry : file.group("scheduler.")) {
    state[entry.first] = file.doubles("scheduler." + entry.first, {1})[0];
  }
  return state;
}

}  // namespace

void save_checkpoint(const std::filesystem::path& path, const TrainState& state) {
  save_safetensors(path, tensors_of(state), metadata_of(state));
}

TrainState load_checkpoint(const std::filesystem::path& path) {
  Reader file(path);
  TrainState s;
  s.progress = read_progress(file);
  s.now = read_snapshot(file, "model.");
  s.best = read_snapshot(file, "best.");
  s.optimizer = file.group("optimizer.");
  s.terms = file.group("terms.");
  s.best_terms = file.group("best_terms.");
  s.scheduler = read_scheduler(file);
  s.generator = {file.count<std::uint64_t>("generator.seed"), file.count<std::uint64_t>("generator.stream"),
                 file.count<std::uint64_t>("generator.offset")};
  s.notes = file.notes();
  file.expect_all_used();
  return s;
}

}  // namespace lora::nn
