#include "bench/step_case.hpp"

#include <memory>

#include "core/autograd.hpp"
#include "core/ops/loss.hpp"
#include "core/ops/random.hpp"
#include "lora/lora.hpp"
#include "models/mlp.hpp"
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

constexpr ModelRow kModels[] = {{"mlp", make<models::Mlp>, 64, 8}};

constexpr const char* kKinds[] = {"base", "lora", "eval"};

std::unique_ptr<nn::Module> make_model(const std::string& name) {
  for (const ModelRow& row : kModels) {
    if (name == row.name) {
      return row.make();
    }
  }
  fail("bench_step", "there is no model '", name, "'");
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
      cases.push_back({row.name, kind, batch > 0 ? batch : row.batch, rank > 0 ? rank : row.rank});
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
  if (c.kind == "lora") {
    LoraConfig config;
    config.r = c.rank;
    config.lora_alpha = c.rank;
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
