#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/join.hpp"
#include "core/ops/loss.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/view.hpp"
#include "lora/adalora_allocator.hpp"
#include "nn/linear.hpp"
#include "nn/optim/adam.hpp"
#include "tests/golden_check/check.hpp"

namespace lora::test {

namespace {

/// b(tanh(a(x))).
class Two final : public nn::Module {
 public:
  Two(const Tensor& a, const Tensor& b) : a_(a.size(1), a.size(0), true, a.dtype()), b_(b.size(1), b.size(0), true, b.dtype()) {
    child("a", a_);
    child("b", b_);
  }
  Tensor forward(const Tensor& x) const override { return b_(tanh(a_(x))); }
  std::string describe() const override { return "Two()"; }

 private:
  nn::Linear a_, b_;
};

/// Words that say what this file computes.
void expect_words(Case& c, const std::string& name, const std::string& words) {
  const auto text = c.attribute<std::string>(name);
  require(text.find(words) != std::string::npos, "golden", "unknown ", name, ": ", text);
}

AdaLoraConfig config_of(Case& c) {
  AdaLoraConfig config;
  config.target_r = c.attribute<Index>("target_r");
  config.init_r = c.attribute<Index>("init_r");
  config.tinit = c.attribute<Index>("tinit");
  config.tfinal = c.attribute<Index>("tfinal");
  config.deltaT = c.attribute<Index>("deltaT");
  config.beta1 = c.attribute<double>("beta1");
  config.beta2 = c.attribute<double>("beta2");
  config.orth_reg_weight = c.attribute<double>("orth_reg_weight");
  config.total_step = c.attribute<Index>("total_step");
  config.lora_alpha = c.attribute<double>("lora_alpha");
  config.target_modules = {"a", "b"};
  return config;
}

optim::AdamWOptions optimizer_of(Case& c) {
  const auto json = c.attribute<Json>("optimizer");
  const std::set<std::string> known{"type", "lr", "weight_decay", "betas", "eps"};
  for (const auto& entry : json.items()) {
    require(known.count(entry.key()) == 1, "golden", "unknown setting of the optimizer: ", entry.key());
  }
  require(json.at("type") == "AdamW", "golden", "unknown optimizer ", json.at("type").dump());
  optim::AdamWOptions o;
  o.lr = json.at("lr").get<double>();
  o.weight_decay = json.at("weight_decay").get<double>();
  o.betas = json.at("betas").get<std::array<double, 2>>();
  o.eps = json.at("eps").get<double>();
  return o;
}

void load_base(Case& c, nn::Module& model) {
  nn::StateDict state;
  for (const auto& [name, tensor] : model.state_dict()) {
    state.push_back({name, c.input("base." + name)});
  }
  model.load_state_dict(state);
}

/// The numbers E of all layers, one after the other.
Tensor gates(const AttachedAdapter& adapter) {
  std::vector<Tensor> all;
  for (const auto& [path, layer] : adapter.layers()) {
    all.push_back(flatten(dynamic_cast<const GatedAdapter&>(*layer->adapter(adapter.name())).gate().detach()));
  }
  return clone(cat(all));
}

}  // namespace

/// A training of two adapted layers: the loss of each step, and after it E of both layers and the rank budget.
void check_adalora(Case& c) {
  expect_words(c, "network", "b(tanh(a(x)))");
  expect_words(c, "loss", "cross_entropy(network(x), y) + orth_reg_weight * mean");
  expect_words(c, "order", "loss, backward, optimizer step, update_and_allocate(step), zero_grad");
  const AdaLoraConfig config = config_of(c);
  Two model(c.input("base.a.weight"), c.input("base.b.weight"));
  load_base(c, model);
  model.to(c.device());
  const AttachedAdapter adapter = attach(model, config);
  for (auto& [name, tensor] : adapter.named_parameters()) {
    tensor.detach().copy_(c.input("init." + name));
  }
  AdaLoraAllocator allocator(adapter, config);
  optim::AdamW optimizer(model.trainable_parameters(), optimizer_of(c));
  const Tensor x = c.input("x"), y = c.input("y");
  std::vector<double> losses;
  std::vector<std::int64_t> budgets;
  std::vector<Tensor> after;
  for (Index step = 0; step < config.total_step; ++step) {
    optimizer.zero_grad();
    const Tensor entropy = cross_entropy(model(x), y), regulariser = allocator.loss();
    const Tensor loss = regulariser.defined() ? entropy + regulariser : entropy;
    loss.backward();
    optimizer.step();
    allocator.update_and_allocate(step);
    losses.push_back(loss.item<double>());
    after.push_back(gates(adapter));
    budgets.push_back(allocator.budget(step));
  }
  c.expect("losses", from_values(losses, {config.total_step}));
  c.expect("lora_E_after", stack(after));
  c.expect("budget", from_values(budgets, {config.total_step}));
}

}  // namespace lora::test
