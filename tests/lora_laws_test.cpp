#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <limits>

#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/optim.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/random.hpp"
#include "core/ops/reduce.hpp"
#include "core/ops/view.hpp"
#include "lora/attach.hpp"
#include "lora/peft_files.hpp"
#include "tests/support/adapter_laws.hpp"
#include "tests/support/devices.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::test;

namespace {

constexpr double kMargin = 8;  // roundings of a sum in another order, per unit of the largest term

/// One cell of the table: a method on a model, with an input.
struct Law {
  const MethodRow& method;
  const ModelRow& row;
  DType dtype;
  Device device;
  std::unique_ptr<nn::Module> model;
  Tensor x;

  Tensor run() const { return (*model)(x).detach(); }

  AttachedAdapter attach(AdapterSettings settings = {}, const std::string& name = "default") const {
    Generator generator(31, name.size());
    settings.targets = row.targets;
    settings.r *= row.groups;
    return lora::attach(*model, method.make(settings), name, generator);
  }

  /// Attached, and moved away from its start as training would do.
  AttachedAdapter attach_trained(const AdapterSettings& settings = {}, const std::string& name = "default") const {
    AttachedAdapter adapter = attach(settings, name);
    Generator generator(77, name.size());
    const NoGrad no_grad;
    for (Tensor& parameter : adapter.parameters()) {
      parameter.copy_(parameter + uniform(parameter.shape(), -0.5, 0.5, dtype, generator, device));
    }
    return adapter;
  }

  /// A tolerance for results of the size of y.
  double tolerance(const Tensor& y) const { return kMargin * (dtype == DType::f64 ? 0x1p-50 : 0x1p-21) * std::max(1.0, max_abs(y)); }
};

Law make_law(const MethodRow& method, const ModelRow& row, DType dtype, const Device& device) {
  manual_seed(1);
  Law law{method, row, dtype, device, row.make(dtype), to(to(random(row.input), dtype), device)};
  law.model->to(device);
  return law;
}

void for_all(const std::function<void(const Law&)>& check) {
  for (const MethodRow& method : method_rows_of_laws()) {
    for (const ModelRow& row : model_rows_of_laws()) {
      for (const DType dtype : row.dtypes) {
        for (const Device& device : devices()) {
          INFO(method.name << " on " << row.name << " in " << dtype << " on " << device);
          check(make_law(method, row, dtype, device));
        }
      }
    }
  }
}

std::vector<Tensor> copies(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> out;
  for (const Tensor& tensor : tensors) {
    out.push_back(clone(tensor.detach()));
  }
  return out;
}

/// Copies of all that the state dict has: weights of 4 bits are no parameters.
std::vector<Tensor> weights_of(const Law& law) {
  std::vector<Tensor> tensors;
  for (const nn::NamedTensor& entry : law.model->state_dict()) {
    tensors.push_back(entry.tensor);
  }
  return copies(tensors);
}

bool same_bits(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  bool same = a.size() == b.size();
  for (std::size_t i = 0; same && i < a.size(); ++i) {
    same = test::same_bits(a[i], b[i]);
  }
  return same;
}

/// sum(model(x) * cotangent) as a number.
double loss_of(const Law& law, const Tensor& cotangent) {
  const NoGrad no_grad;
  return sum((*law.model)(law.x) * cotangent).item<double>();
}

/// The same with the adapter's norms as if they were `norms`: its magnitudes are divided by them, and so are moved along for a while.
double loss_of(const Law& law, const AttachedAdapter& adapter, const std::vector<Tensor>& norms, const Tensor& cotangent) {
  if (norms.empty()) {
    return loss_of(law, cotangent);
  }
  const NoGrad no_grad;
  const std::vector<Tensor> now = law.method.constant_norms(adapter);
  std::vector<Tensor> magnitudes, before;
  for (const NamedLayer& layer : adapter.layers()) {
    magnitudes.push_back(layer.layer->adapter(adapter.name())->named_parameters().back().tensor);
    before.push_back(clone(magnitudes.back()));
  }
  for (std::size_t i = 0; i < now.size(); ++i) {
    magnitudes[i].copy_(before[i] * reshape(now[i] / norms[i], before[i].shape()));
  }
  const double loss = loss_of(law, cotangent);
  for (std::size_t i = 0; i < now.size(); ++i) {
    magnitudes[i].copy_(before[i]);
  }
  return loss;
}

/// Largest difference between the gradient of a parameter and central differences, relative to the larger of 1 and the gradient.
double gradient_error(const Law& law, const AttachedAdapter& adapter, Tensor parameter, const Tensor& cotangent) {
  constexpr double kStep = 1e-6;
  const auto norms = law.method.constant_norms ? law.method.constant_norms(adapter) : std::vector<Tensor>{};
  const auto found = parameter.grad().to_vector<double>();
  double error = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    double* value = parameter.mutable_data<double>() + i;
    const double center = *value;
    *value = center + kStep;
    const double above = loss_of(law, adapter, norms, cotangent);
    *value = center - kStep;
    const double below = loss_of(law, adapter, norms, cotangent);
    *value = center;
    const double expected = (above - below) / (2 * kStep);
    const double difference = std::abs(found[i] - expected) / std::max(1.0, std::abs(expected));
    error = difference <= error ? error : difference;  // a NaN stays
  }
  return error;
}

}  // namespace

TEST_CASE("lora: a fresh adapter changes no bit, in training neither", "[lora][cuda]") {
  for_all([](const Law& law) {
    const Tensor base = law.run();
    law.attach({3, 6.0, 0.5});
    CHECK(test::same_bits(law.run(), base));
    law.model->eval();
    CHECK(test::same_bits(law.run(), base));
  });
}

TEST_CASE("lora: a trained adapter changes the output", "[lora][cuda]") {
  for_all([](const Law& law) {
    const Tensor base = law.run();
    law.attach_trained();
    CHECK(max_difference(law.run(), base) > 4 * law.tolerance(base));
  });
}

TEST_CASE("lora: merged is unmerged up to rounding, and unmerging restores every bit", "[lora][cuda]") {
  for_all([](const Law& law) {
    law.attach_trained();
    const Tensor before = law.run();
    const auto weights = weights_of(law);
    for (int round = 0; round < 3; ++round) {
      merge_adapters(*law.model);
      CHECK_FALSE(same_bits(weights_of(law), weights));
      CHECK(max_difference(law.run(), before) <= law.tolerance(before));
      unmerge_adapters(*law.model);
      CHECK(same_bits(weights_of(law), weights));
      CHECK(test::same_bits(law.run(), before));
    }
  });
}

TEST_CASE("lora: disabled is the base bit for bit, and enabled what it was", "[lora][cuda]") {
  for_all([](const Law& law) {
    const Tensor base = law.run();
    law.attach_trained({3, 6.0, 0.5});
    law.model->eval();
    const Tensor adapted = law.run();
    set_adapters_enabled(*law.model, false);
    CHECK(test::same_bits(law.run(), base));
    law.model->train();
    CHECK(test::same_bits(law.run(), base));
    set_adapters_enabled(*law.model, true);
    law.model->eval();
    CHECK(test::same_bits(law.run(), adapted));
  });
}

TEST_CASE("lora: training moves the adapter, and neither moves nor differentiates the base", "[lora][cuda]") {
  for_all([](const Law& law) {
    const AttachedAdapter adapter = law.attach();
    const auto base = weights_of(law);
    const auto fresh = copies(adapter.parameters());
    std::vector<Tensor> m, v;
    auto trained = law.model->trainable_parameters();
    CHECK(trained.size() == adapter.parameters().size());
    for (int step = 1; step <= 3; ++step) {
      law.model->zero_grad();
      const Tensor y = (*law.model)(law.x);
      sum(y * y).backward();
      for (std::size_t i = 0; i < trained.size(); ++i) {
        m.push_back(zeros_like(trained[i]));
        v.push_back(zeros_like(trained[i]));
        AdamStepOptions options;
        options.step = step;
        options.lr = 0.1;
        adam_step_(options, trained[i].grad(), trained[i], m[i], v[i]);
      }
    }
    CHECK(same_bits(weights_of(law), base));
    for (const Tensor& parameter : law.model->parameters()) {
      CHECK_FALSE(parameter.requires_grad());
      CHECK_FALSE(parameter.grad().defined());
    }
    const auto now = adapter.parameters();
    for (std::size_t i = 0; i < now.size(); ++i) {
      CHECK_FALSE(test::same_bits(now[i], fresh[i]));
    }
  });
}

TEST_CASE("lora: gradients of the adapter and of the input agree with central differences", "[lora]") {
  for_all([](const Law& law) {
    if (law.dtype != DType::f64 || law.device != kCpu) {  // on others they are compared with those of the CPU
      return;
    }
    const AttachedAdapter adapter = law.attach_trained();
    const Tensor cotangent = random(law.run().shape());
    sum((*law.model)(law.x) * cotangent).backward();
    for (const auto& [name, parameter] : adapter.named_parameters()) {
      INFO(name);
      // h = 1e-6: truncation 1e-12 and rounding 1e-10 of sums of some dozen terms
      CHECK(gradient_error(law, adapter, parameter, cotangent) <= 1e-7);
    }
    const OpCase input{"input", [&law](const Tensors& in) { return (*law.model)(in[0]); }, {law.x}};
    CHECK(test::gradient_error(input) <= input.grad_tolerance);
  });
}

TEST_CASE("lora: outputs and gradients on a GPU are those of the CPU", "[lora][cuda]") {
  for_all([](const Law& law) {
    if (law.device == kCpu) {
      return;
    }
    Law reference = make_law(law.method, law.row, law.dtype, kCpu);
    reference.x = to(law.x, kCpu);
    const AttachedAdapter adapter = law.attach_trained(), expected = reference.attach_trained();
    const Tensor y = (*law.model)(law.x), want = (*reference.model)(reference.x), cotangent = to(random(y.shape()), law.dtype);
    const double tolerance = law.dtype == DType::f64 ? 1e-10 : 1e-5;  // sums in another order
    CHECK(relative_distance(y, want) <= tolerance);
    sum(y * to(cotangent, law.device)).backward();
    sum(want * cotangent).backward();
    for (std::size_t i = 0; i < adapter.parameters().size(); ++i) {
      CHECK(relative_distance(adapter.parameters()[i].grad(), expected.parameters()[i].grad()) <= tolerance);
    }
  });
}

TEST_CASE("lora: saved and loaded it gives the same bits", "[lora][cuda]") {
  for_all([](const Law& law) {
    const AttachedAdapter adapter = law.attach_trained({2, 5.0, 0.25});
    law.model->eval();
    const TempFolder folder;
    save_adapter(adapter, folder / "adapter");
    const auto other = law.row.make(law.dtype);
    other->to(law.device);
    other->load_state_dict(law.model->state_dict());
    other->eval();
    const PhiloxState state = default_generator().state();
    const AttachedAdapter loaded = load_adapter(*other, folder / "adapter", "again");
    CHECK(default_generator().state() == state);
    CHECK(loaded.name() == "again");
    CHECK(same_bits(copies(loaded.parameters()), copies(adapter.parameters())));
    CHECK(test::same_bits((*other)(law.x).detach(), law.run()));
    CHECK(other->trainable_parameters().size() == loaded.parameters().size());
  });
}

TEST_CASE("lora: the number of trainable parameters is the paper's", "[lora][cuda]") {
  for_all([](const Law& law) {
    Index base = 0;
    for (const Tensor& parameter : law.model->parameters()) {
      base += parameter.numel();
    }
    for (const NamedLayer& layer : adaptable_layers(*law.model)) {
      base += layer.layer->packed() != nullptr ? layer.layer->weight_shape().numel() : 0;
    }
    for (const Index r : {1, 4, 9}) {
      const AttachedAdapter adapter = law.attach({r, 1.0, 0.0});
      Index expected = 0;
      for (const auto& [in, out] : law.row.sizes) {
        expected += law.method.count(r, in, out) + law.method.gates * r * law.row.groups;
      }
      CHECK(adapter.numel() == expected);
      const ParameterCounts counts = count_parameters(*law.model);
      CHECK(counts.added == expected);
      CHECK(counts.trainable == expected);
      CHECK(counts.total == base + expected);
      adapter.detach();
    }
  });
}

TEST_CASE("lora: alpha 0 makes it a bystander", "[lora][cuda]") {
  for_all([](const Law& law) {
    if (!law.method.scales_by_alpha) {
      return;
    }
    const Tensor base = law.run();
    law.attach_trained({3, 0.0, 0.0});
    if (law.method.silent_at_alpha_0) {
      CHECK(test::same_bits(law.run(), base));
    }
    CHECK(max_difference(law.run(), base) <= law.tolerance(base));
  });
}

TEST_CASE("lora: its dropout acts in training only", "[lora][cuda]") {
  for_all([](const Law& law) {
    const AttachedAdapter plain = law.attach_trained({3, 6.0, 0.0});
    PhiloxState state = default_generator().state();
    const Tensor expected = law.run();
    CHECK(default_generator().state() == state);  // no dropout, no draw
    plain.detach();
    law.attach_trained({3, 6.0, 0.5});
    state = default_generator().state();
    CHECK_FALSE(test::same_bits(law.run(), expected));
    CHECK_FALSE(default_generator().state() == state);
    law.model->eval();
    CHECK(test::same_bits(law.run(), expected));
  });
}

TEST_CASE("lora: attaching does not change the state dict, and detaching leaves the base", "[lora][cuda]") {
  for_all([](const Law& law) {
    const Tensor base = law.run();
    const auto before = law.model->state_dict();
    const AttachedAdapter first = law.attach_trained({}, "first");
    const Tensor only_first = law.run();
    const AttachedAdapter second = law.attach_trained({}, "second");
    const auto after = law.model->state_dict();
    REQUIRE(after.size() == before.size());
    for (std::size_t i = 0; i < after.size(); ++i) {
      CHECK(after[i].name == before[i].name);
      CHECK(after[i].tensor.storage() == before[i].tensor.storage());
    }
    second.detach();
    CHECK(test::same_bits(law.run(), only_first));
    first.detach();
    CHECK(test::same_bits(law.run(), base));
    CHECK(count_parameters(*law.model).added == 0);
    CHECK(law.model->trainable_parameters().empty());
  });
}

TEST_CASE("lora: of two adapters each can be switched on its own", "[lora][cuda]") {
  for_all([](const Law& law) {
    const Tensor base = law.run();
    const AttachedAdapter first = law.attach_trained({}, "a");
    const Tensor only_first = law.run();
    const AttachedAdapter second = law.attach_trained({2, 1.0, 0.0}, "bb");
    const Tensor both = law.run();
    second.set_active(false);
    CHECK(test::same_bits(law.run(), only_first));
    CHECK(law.model->trainable_parameters().size() == first.parameters().size());
    first.set_active(false);
    CHECK(test::same_bits(law.run(), base));
    second.set_active(true);
    const Tensor only_second = law.run();
    CHECK_FALSE(test::same_bits(only_second, base));
    first.set_active(true);
    CHECK(test::same_bits(law.run(), both));
    if (law.method.additive && law.row.sizes.size() == 1) {
      CHECK(max_difference(both - base, (only_first - base) + (only_second - base)) <= law.tolerance(both));
    }
  });
}

TEST_CASE("lora: several adapters merge together", "[lora][cuda]") {
  for_all([](const Law& law) {
    const AttachedAdapter first = law.attach_trained({}, "a");
    const AttachedAdapter second = law.attach_trained({2, 1.0, 0.0}, "bb");
    const Tensor both = law.run();
    const auto weights = weights_of(law);
    merge_adapters(*law.model);
    CHECK(max_difference(law.run(), both) <= law.tolerance(both));
    unmerge_adapters(*law.model);
    CHECK(same_bits(weights_of(law), weights));
    second.set_active(false);
    const Tensor one = law.run();
    merge_adapters(*law.model);
    CHECK(max_difference(law.run(), one) <= law.tolerance(one));
    CHECK(max_difference(law.run(), both) > 4 * law.tolerance(both));
    unmerge_adapters(*law.model);
    CHECK(test::same_bits(law.run(), one));
  });
}

TEST_CASE("lora: a method that is not finite is not merged, and nothing changes", "[lora][cuda]") {
  for_all([](const Law& law) {
    const AttachedAdapter adapter = law.attach_trained();
    const auto weights = weights_of(law);
    const Tensor before = law.run();
    Tensor last = adapter.parameters().back();  // of the last layer: those before it can be merged
    {
      const NoGrad no_grad;
      for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
        const Tensor kept = clone(last.detach());
        last.fill_(bad);
        CHECK_THAT(error_of([&] { merge_adapters(*law.model); }), Catch::Matchers::Contains("not finite"));
        last.copy_(kept);
      }
    }
    CHECK(same_bits(weights_of(law), weights));
    CHECK(test::same_bits(law.run(), before));
    merge_adapters(*law.model);  // nothing is merged yet, so this can be
    unmerge_adapters(*law.model);
  });
}
