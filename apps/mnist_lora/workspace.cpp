#include "apps/mnist_lora/workspace.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "apps/mnist_lora/text.hpp"
#include "core/base/error.hpp"
#include "core/base/file.hpp"
#include "nn/checkpoint.hpp"

namespace mnist_lora {

namespace {

std::filesystem::path progress_file(const std::filesystem::path& out) { return out / "progress.json"; }
std::filesystem::path checkpoint_file(const std::filesystem::path& out) { return out / "checkpoint.safetensors"; }

void require_same(const Settings& before, const Settings& now) {
  for (const auto& [option, value] : now) {
    const auto at = before.find(option);
    lora::require(at != before.end() && at->second == value, "resume", option, " is ", value, ", but the experiment was started with ",
                  at == before.end() ? "nothing of the kind" : at->second, "; resume with the options that it was started with");
  }
}

void remove_if_there(const std::filesystem::path& file) {
  std::error_code ignored;
  std::filesystem::remove(file, ignored);
}

}  // namespace

Settings training_settings(const std::string& command, const CommonOptions& options, const std::filesystem::path& data) {
  return {{"command", command},
          {"--seed", std::to_string(options.seed)},
          {"--data", std::filesystem::weakly_canonical(data).string()},
          {"--dtype", options.dtype},
          {"--batch-size", std::to_string(options.batch_size)},
          {"--lr", options.lr == 0 ? "by run" : exact(options.lr)},
          {"--epochs", std::to_string(options.epochs)},
          {"--patience", std::to_string(options.patience)},
          {"--limit", std::to_string(options.limit)}};
}

Workspace::Workspace(std::filesystem::path out, const Settings& settings, bool resume) : out_(std::move(out)), settings_(settings) {
  if (resume) {
    read_progress();
    return;
  }
  std::error_code error;
  std::filesystem::create_directories(out_, error);
  lora::require(!error, "out", "cannot make the folder '", out_.string(), "': ", error.message(), "; choose another --out");
  write_progress();
  remove_if_there(checkpoint_file(out_));
}

void Workspace::write_progress() const {
  const nlohmann::ordered_json json{{"settings", settings_}, {"results", to_json(done_)}};
  lora::write_file_atomically(progress_file(out_), json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

void Workspace::read_progress() {
  const std::string file = progress_file(out_).string();
  lora::require(has_progress(out_), "resume", "there is no unfinished experiment in ", out_.string(), "; start one without --resume");
  try {
    const auto json = nlohmann::ordered_json::parse(lora::read_text_file(progress_file(out_)));
    require_same(json.at("settings").get<Settings>(), settings_);
    done_ = results_from_json(json.at("results"), file);
  } catch (const nlohmann::json::exception& error) {
    lora::fail("resume", file, " is damaged: ", error.what(), "; start anew without --resume");
  }
}

const Run* Workspace::finished(const std::string& name) const {
  for (const Run& run : done_.runs) {
    if (run.name == name) {
      return &run;
    }
  }
  return nullptr;
}

void Workspace::finish(const Run& run) {
  if (done_.runs.empty()) {
    remove_if_there(results());
    remove_if_there(report());
  }
  done_.runs.push_back(run);
  write_progress();
  remove_if_there(checkpoint_file(out_));
}

void Workspace::save_checkpoint(const std::string& run, lora::nn::TrainState state) const {
  state.notes["run"] = run;
  lora::nn::save_checkpoint(checkpoint_file(out_), state);
}

std::optional<lora::nn::TrainState> Workspace::checkpoint(const std::string& run) const {
  if (!std::filesystem::exists(checkpoint_file(out_))) {
    return std::nullopt;
  }
  lora::nn::TrainState state = lora::nn::load_checkpoint(checkpoint_file(out_));
  if (state.notes["run"] != run) {
    return std::nullopt;
  }
  return state;
}

bool has_progress(const std::filesystem::path& out) {
  std::error_code ignored;
  return std::filesystem::exists(progress_file(out), ignored);
}

void forget_progress(const std::filesystem::path& out) {
  remove_if_there(progress_file(out));
  remove_if_there(checkpoint_file(out));
}

}  // namespace mnist_lora
