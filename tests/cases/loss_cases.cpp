#include "core/ops/loss.hpp"

#include "core/ops/view.hpp"
#include "tests/support/op_case.hpp"

namespace lora::test {

namespace {

Tensor integers(const std::vector<std::int64_t>& values, const Shape& shape) { return from_values(values, shape); }
Tensor integers(const std::vector<std::int64_t>& values) { return integers(values, {static_cast<Index>(values.size())}); }

constexpr Reduction kReductions[] = {Reduction::mean, Reduction::sum, Reduction::none};
constexpr const char* kNames[] = {"none", "mean", "sum"};

std::string label(const std::string& op, Reduction reduction) { return op + "/" + kNames[static_cast<int>(reduction)]; }

std::function<Tensor(const Tensors&)> cross_entropy_with(double smoothing, Index ignore, Reduction reduction) {
  return [=](const Tensors& x) { return cross_entropy(x[0], x[1], {smoothing, ignore, reduction}); };
}

/// Ignored rows, targets of images, classes that are innermost in memory, a smoothed target.
void add_cross_entropy(std::vector<OpCase>& cases, Reduction reduction) {
  const Tensor some = integers({0, -100, 3, -100}), image = integers({0, 4, 2, -100, 1, 1, 0, 3}, {2, 2, 2});
  cases.push_back(
      {label("cross_entropy/plain", reduction), cross_entropy_with(0, -100, reduction), {random({4, 6}), integers({0, 5, 3, 3})}});
  cases.push_back(
      {label("cross_entropy/smooth", reduction), cross_entropy_with(0.3, -100, reduction), {random({4, 6}), integers({0, 5, 3, 3})}});
  cases.push_back(
      {label("cross_entropy/uniform", reduction), cross_entropy_with(1, -100, reduction), {random({2, 40}), integers({0, 39})}});
  cases.push_back({label("cross_entropy/ignored", reduction), cross_entropy_with(0.1, -100, reduction), {random({4, 6}), some}});
  cases.push_back(
      {label("cross_entropy/class ignored", reduction), cross_entropy_with(0.1, 3, reduction), {random({4, 6}), integers({0, 3, 5, 3})}});
  cases.push_back({label("cross_entropy/image", reduction), cross_entropy_with(0.2, -100, reduction), {random({2, 5, 2, 2}), image}});
  cases.push_back({label("cross_entropy/sequence", reduction),
                   cross_entropy_with(0, -1, reduction),
                   {random({2, 33, 3}), integers({0, 32, -1, 7, 7, 1}, {2, 3})}});
}

struct PairLoss {
  const char* name;
  Tensor (*run)(const Tensor&, const Tensor&, Reduction);
};

/// Losses of pairs of elements. Targets lie apart from the inputs: l1_loss has a corner where they meet.
void add_pair_losses(std::vector<OpCase>& cases, Reduction reduction) {
  for (const PairLoss& loss :
       {PairLoss{"mse_loss", mse_loss}, {"l1_loss", l1_loss}, {"bce_with_logits", binary_cross_entropy_with_logits}}) {
    for (const Shape& shape : {Shape{}, Shape{1}, Shape{3, 11}, Shape{2, 3, 4}}) {
      cases.push_back({label(loss.name, reduction),
                       [run = loss.run, reduction](const Tensors& x) { return run(x[0], x[1], reduction); },
                       {random(shape, -3, 0), random(shape, 0.1, 1)}});
      cases.push_back({label(loss.name, reduction) + "/other side",
                       [run = loss.run, reduction](const Tensors& x) { return run(x[0], x[1], reduction); },
                       {random(shape, 1.1, 3), random(shape, 0, 1)}});
    }
  }
}

}  // namespace

std::vector<OpCase> loss_cases() {
  const auto loss = [](const Tensors& x) { return cross_entropy(x[0], x[1]); };
  std::vector<OpCase> cases{
      {"cross_entropy", loss, {random({4, 6}), integers({0, 5, 3, 3})}},
      {"cross_entropy/one row", loss, {random({1, 3}), integers({2})}},
      {"cross_entropy/one class", loss, {random({3, 1}), integers({0, 0, 0})}},
      {"cross_entropy/large logits", loss, {random({3, 5}, -500, 500), integers({4, 0, 1})}},
      {"cross_entropy/no rows", cross_entropy_with(0.1, -100, Reduction::sum), {random({0, 3}), integers({})}},
      {"cross_entropy/all ignored", cross_entropy_with(0.1, -100, Reduction::sum), {random({2, 3}), integers({-100, -100})}},
      {"mse_loss/nothing", [](const Tensors& x) { return mse_loss(x[0], x[1], Reduction::sum); }, {random({0, 2}), random({0, 2})}},
      {"mse_loss/with itself", [](const Tensors& x) { return mse_loss(x[0], x[0]); }, {random({3})}},
  };
  for (const Reduction reduction : kReductions) {
    add_cross_entropy(cases, reduction);
    add_pair_losses(cases, reduction);
  }
  return cases;
}

}  // namespace lora::test
