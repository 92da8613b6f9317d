#include "bench/ops.hpp"
#include "bench/support.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/index.hpp"
#include "core/ops/loss.hpp"
#include "core/ops/norm.hpp"
#include "core/ops/optim.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/random.hpp"
#include "core/ops/reduce.hpp"
#include "core/ops/softmax.hpp"
#include "core/ops/view.hpp"

namespace lora::bench {

namespace {

constexpr Index kMany = Index{1} << 22;  // 16 MiB of f32

double bytes_of(const Tensor& x) { return static_cast<double>(x.nbytes()); }

using Unary = Tensor (*)(const Tensor&);

/// One read and one write.
void add_unary(const char* name, Unary op) {
  const Tensor x = uniform({kMany}, 0.1, 3.0);
  add_case(std::string(name) + "/4Mi", {0, 2 * bytes_of(x)}, [=] { (void)op(x); });
}

Tensor labels(Index n, Index classes) { return to(uniform({n}, 0, static_cast<double>(classes), DType::f64), DType::i64); }

void add_pointwise() {
  add_unary("relu", relu);
  add_unary("exp", exp);
  add_unary("log", log);
  add_unary("tanh", tanh);
  add_unary("sigmoid", sigmoid);
  add_unary("silu", silu);
  add_unary("gelu", gelu);
  const Tensor a = randn({kMany / 1024, 1024}), b = randn({kMany / 1024, 1024}), row = randn({1024});
  add_case("add/4096x1024", {0, 3 * bytes_of(a)}, [=] { (void)add(a, b); });
  add_case("add_row/4096x1024", {0, 2 * bytes_of(a)}, [=] { (void)add(a, row); });
  add_case("transpose_copy/4096x1024", {0, 2 * bytes_of(a)}, [=] { (void)contiguous(t(a)); });
  add_case("dropout/4096x1024", {0, 2 * bytes_of(a)}, [=] { (void)dropout(a, 0.1); });
}

void add_rows() {
  const Tensor x = randn({4096, 1024}), few = randn({65536, 10});
  add_case("sum/4096x1024/rows", {0, bytes_of(x)}, [=] { (void)sum(x, {1}); });
  add_case("sum/4096x1024/columns", {0, bytes_of(x)}, [=] { (void)sum(x, {0}); });
  add_case("amax/4096x1024/rows", {0, bytes_of(x)}, [=] { (void)amax(x, {1}); });
  add_case("softmax/4096x1024", {0, 2 * bytes_of(x)}, [=] { (void)softmax(x, -1); });
  add_case("softmax/65536x10", {0, 2 * bytes_of(few)}, [=] { (void)softmax(few, -1); });
  add_case("log_softmax/4096x1024", {0, 2 * bytes_of(x)}, [=] { (void)log_softmax(x, -1); });
  add_case("layer_norm/4096x1024", {0, 2 * bytes_of(x)}, [=] { (void)layer_norm(x, {1024}); });
  const Tensor target = labels(65536, 10);
  add_case("cross_entropy/65536x10", {0, 2 * bytes_of(few)}, [=] { (void)cross_entropy(few, target); });
}

void add_indexed() {
  const Tensor weight = randn({10000, 128}), index = labels(8192, 10000);
  add_case("embedding/8192x128", {0, 2.0 * 4 * 8192 * 128}, [=] { (void)embedding(weight, index); });
}

/// Reads p, g, m, v; writes p, m, v.
void add_adam() {
  Tensor p = randn({kMany}), m = zeros({kMany}), v = zeros({kMany});
  const Tensor g = randn({kMany});
  add_case("adam_step/4Mi", {0, 7 * bytes_of(p)}, [=]() mutable { adam_step_({}, g, p, m, v); });
}

}  // namespace

void add_memory_ops() {
  add_pointwise();
  add_rows();
  add_indexed();
  add_adam();
}

}  // namespace lora::bench
