#include "bench/step_case.hpp"

#include <algorithm>
#include <memory>

#include "core/autograd.hpp"
#include "core/ops/loss.hpp"
#include "core/ops/random.hpp"
#include "lora/lora.hpp"
#include "lora/quantize_weights.hpp"
#include "models/cnn.hpp"
#include "models/mlp.hpp"
#include "models/resnet.hpp"
#include "models/vgg.hpp"
#include "nn/linear.hpp"
#include "nn/optim/adam.hpp"

namespace lora::bench {

namespace {

struct ModelRow {
  const char* name;
  std::unique_ptr<nn::Module> (*make)();
  int batch, rank;
};

template <class M>
std::unique_ptr<nn::Module> make() {
  return std::make_unique<M>();
}

std::unique_ptr<nn::Module> make_resnet18() { return std::make_unique<models::ResNet>(models::ResNetOptions::resnet18()); }

constexpr ModelRow kModels[] = {
    {"mlp", make<models::Mlp>, 64, 8}, {"cnn", make<models::Cnn>, 64, 8},         {"vgg", make<models::Vgg>, 10, 4},
    {"vgg", make<models::Vgg>, 64, 4}, {"resnet20", make<models::ResNet>, 64, 4}, {"resnet18", make_resnet18, 16, 4},
};

constexpr const char* kKinds[] = {
    "base", "lora", "dora", "qlora", "eval",
};

std::unique_ptr<nn::Module> make_model(const std::string& name) {
  for (const ModelRow& row : kModels) {
    if (name == row.name) {
      return row.make();
    }
  }
  fail("bench_step", "there is no model '", name, "'");
}

/// As the peer has it: NF4 where blocks of 64 fill the rows of a linear layer, convolutions dense.
void quantize_linear_layers(nn::Module& model) {
  std::vector<std::string> paths;
  for (const NamedLayer& layer : adaptable_layers(model)) {
    const auto* linear = dynamic_cast<const nn::Linear*>(layer.layer);
    if (linear != nullptr && linear->in_features() % 64 == 0) {
      paths.push_back(layer.path);
    }
  }
  QuantizationConfig config;
  config.target_modules = TargetModules(paths);
  quantize_weights(model, config);
}

Tensor random_labels(Index n) {
  std::vector<std::int64_t> labels;
  for (const double u : uniform({n}, 0, 10, DType::f64).to_vector<double>()) {
    labels.push_back(static_cast<std::int64_t>(u));
  }
  return from_values(labels, {n});
}

/// What one step works on; a step is a call of train() or evaluate().
struct Setting {
  std::unique_ptr<nn::Module> model;
  std::unique_ptr<optim::AdamW> optimizer;
  Tensor x, y;

  void train() const {
    optimizer->zero_grad();
    cross_entropy((*model)(x), y).backward();
    optimizer->step();
  }
  void evaluate() const {
    const NoGrad no_grad;
    (void)(*model)(x);
  }
};

}  // namespace

std::string StepCase::name() const {
  const std::string text = model + '/' + kind + "/b" + std::to_string(batch);
  return kind == "base" || kind == "eval" ? text : text + "/r" + std::to_string(rank);
}

std::vector<StepCase> step_cases(int batch, int rank) {
  std::vector<StepCase> cases;
  for (const ModelRow& row : kModels) {
    for (const char* kind : kKinds) {
      const StepCase c{row.name, kind, batch > 0 ? batch : row.batch, rank > 0 ? rank : row.rank};
      const auto same = [&c](const StepCase& other) { return other.name() == c.name(); };
      if (std::none_of(cases.begin(), cases.end(), same)) {
        cases.push_back(c);
      }
    }
  }
  return cases;
}

Step make_step(const StepCase& c) {
  manual_seed(0);
  const auto s = std::make_shared<Setting>();
  s->model = make_model(c.model);
  s->x = randn({c.batch, 1, 28, 28});
  s->y = random_labels(c.batch);
  if (c.kind == "qlora") {
    quantize_linear_layers(*s->model);
  }
  if (c.kind != "base" && c.kind != "eval") {
    LoraConfig config;
    config.use_dora = c.kind == "dora";
    config.r = c.rank;
    config.lora_alpha = c.rank;
    config.target_modules = ".*";  // every layer that can be adapted, as the peer has it
    attach(*s->model, config);
  }
  const ParameterCounts counts = count_parameters(*s->model);
  const bool trains = c.kind != "eval";
  s->model->train(trains);
  if (trains) {
    s->optimizer = std::make_unique<optim::AdamW>(s->model->trainable_parameters(), optim::AdamWOptions{});
  }
  return {[s, trains] { trains ? s->train() : s->evaluate(); }, counts.trainable, counts.total};
}

}  // namespace lora::bench
