#include "core/tensor.hpp"

#include <algorithm>

#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/view.hpp"
#include "kernels/table.hpp"

namespace lora {

namespace {

/// True if every element of a view lies in 0..capacity-1.
bool lies_inside(const Shape& shape, const Shape& strides, Index offset, Index capacity) {
  if (offset < 0 || strides.ndim() != shape.ndim()) {
    return false;
  }
  Index last = offset;
  for (int i = 0; i < shape.ndim(); ++i) {
    Index step = 0;
    if (strides[i] < 0 || __builtin_mul_overflow(shape[i] - 1, strides[i], &step) || __builtin_add_overflow(last, step, &last)) {
      return false;
    }
  }
  return last < capacity;
}

/// True if an element of memory occurs more than once, as after expand().
bool repeats(const Shape& shape, const Shape& strides) {
  for (int i = 0; i < shape.ndim(); ++i) {
    if (shape[i] > 1 && strides[i] == 0) {
      return shape.numel() > 0;
    }
  }
  return false;
}

const std::shared_ptr<Node> kNoNode;

}  // namespace

Tensor::Tensor(std::shared_ptr<Storage> storage, DType dtype, const Shape& shape, const Shape& strides, Index offset)
    : impl_(std::make_shared<Impl>(Impl{std::move(storage), shape, strides, offset, dtype, nullptr})) {
  check_sizes("tensor", shape);
  const Index capacity = static_cast<Index>(impl_->storage->bytes() / itemsize(dtype));
  require(shape.numel() == 0 || lies_inside(shape, strides, offset, capacity), "tensor", "a view ", shape, " with strides ", strides,
          " from element ", offset, " leaves its storage of ", capacity, " elements");
}

void* Tensor::raw_data() const {
  return static_cast<std::byte*>(storage()->data()) + static_cast<std::size_t>(offset()) * itemsize(dtype());
}

void Tensor::check_access(DType wanted) const {
  require(dtype() == wanted, "data", "asked for ", wanted, " elements of ", *this, "; convert with to()");
  require(device() == kCpu, "data", *this, " is not on the CPU; copy it there with to(x, kCpu)");
}

template <class T>
T Tensor::item_as() const {
  require(numel() == 1, "item", "needs a tensor with one element, got ", *this);
  const Tensor value = to(to(detach(), kCpu), dtype_of<T>());
  return value.data<T>()[0];
}

template double Tensor::item_as() const;
template std::int64_t Tensor::item_as() const;

template <class T>
std::vector<T> Tensor::to_vector() const {
  const Tensor values = contiguous(to(to(detach(), kCpu), dtype_of<T>()));
  const T* first = values.data<T>();
  return std::vector<T>(first, first + values.numel());
}

template std::vector<float> Tensor::to_vector() const;
template std::vector<double> Tensor::to_vector() const;
template std::vector<std::uint8_t> Tensor::to_vector() const;
template std::vector<std::int32_t> Tensor::to_vector() const;
template std::vector<std::int64_t> Tensor::to_vector() const;

bool Tensor::requires_grad() const { return meta() != nullptr && meta()->requires_grad; }

Tensor& Tensor::requires_grad_(bool on) {
  require(is_leaf(), "requires_grad_", "only leaves can be set, this is a result of ", is_leaf() ? "" : node()->op(), "; use detach()");
  require(!on || is_float(dtype()), "requires_grad_", "gradients exist for f32 and f64, not for ", *this);
  if (on && meta() == nullptr) {
    impl_->meta = std::make_shared<AutogradMeta>();
  }
  if (meta() != nullptr) {
    meta()->requires_grad = on;
  }
  return *this;
}

Tensor Tensor::grad() const { return meta() == nullptr ? Tensor{} : meta()->grad; }

void Tensor::set_grad(const Tensor& grad) {
  if (grad.defined()) {
    require(grad.shape() == shape() && grad.dtype() == dtype() && grad.device() == device(), "set_grad", "the gradient ", grad,
            " does not fit ", *this);
    require(meta() != nullptr, "set_grad", *this, " takes no gradient; call requires_grad_() first");
  }
  if (meta() != nullptr) {
    meta()->grad = grad;
  }
}

const std::shared_ptr<Node>& Tensor::node() const { return meta() == nullptr ? kNoNode : meta()->node; }

void Tensor::set_node(std::shared_ptr<Node> node) { impl_->meta = std::make_shared<AutogradMeta>(AutogradMeta{true, {}, std::move(node)}); }

Tensor Tensor::detach() const { return Tensor(storage(), dtype(), shape(), strides(), offset()); }

void Tensor::check_in_place(const char* op) const {
  require(!grad_enabled() || !requires_grad(), op, *this,
          " takes part in gradients, so it cannot be changed in place; use NoGrad around the change, or an op that returns a new tensor");
}

Tensor& Tensor::fill_(double value) {
  check_in_place("fill_");
  storage()->bump_version();
  kernels::table(device()).fill(kernels::context(device()), value, mutable_view());
  return *this;
}

Tensor& Tensor::copy_(const Tensor& source) {
  check_in_place("copy_");
  require(broadcast_shapes("copy_", source.shape(), shape()) == shape(), "copy_", source, " does not broadcast to ", *this);
  require(!repeats(shape(), strides()), "copy_", *this,
          " holds elements more than once, so it cannot take a value for each; copy into a clone()");
  require(!grad_enabled() || !source.requires_grad(), "copy_", "the source ", source,
          " takes part in gradients, and a copy in place would lose them; use detach() or NoGrad");
  Tensor from = expand(to(source.detach(), device()), shape());
  if (from.storage() == storage()) {
    from = clone(from);  // the kernel must not read what it writes
  }
  storage()->bump_version();
  kernels::table(device()).copy(kernels::context(device()), from.view(), mutable_view());
  return *this;
}

Tensor& Tensor::to_(const Device& device) {
  require(is_leaf(), "to_", *this, " is the result of an op; only leaves move in place, to() makes a copy of others");
  const Tensor there = to(detach(), device), grad_there = grad().defined() ? to(grad(), device) : Tensor{};
  impl_->storage = there.storage();
  impl_->strides = there.strides();
  impl_->offset = there.offset();
  set_grad(grad_there);
  return *this;
}

std::ostream& operator<<(std::ostream& out, const Tensor& tensor) {
  return tensor.defined() ? out << tensor.dtype() << tensor.shape() << '@' << tensor.device() : out << "undefined tensor";
}

namespace {

Tensor empty_dense(const Shape& shape, const Shape& strides, DType dtype, const Device& device) {
  const auto bytes = static_cast<std::size_t>(shape.numel()) * itemsize(dtype);
  return Tensor(Storage::allocate(bytes, device), dtype, shape, strides);
}

}  // namespace

Tensor empty(const Shape& shape, DType dtype, const Device& device) {
  check_sizes("empty", shape);  // before the strides, which could overflow
  return empty_dense(shape, contiguous_strides(shape), dtype, device);
}

Tensor empty_channels_last(const Shape& shape, DType dtype, const Device& device) {
  check_sizes("empty_channels_last", shape);
  return empty_dense(shape, channels_last_strides(shape), dtype, device);
}

Tensor full(const Shape& shape, double value, DType dtype, const Device& device) {
  Tensor out = empty(shape, dtype, device);
  out.fill_(value);
  return out;
}

Tensor zeros(const Shape& shape, DType dtype, const Device& device) { return full(shape, 0.0, dtype, device); }

Tensor ones(const Shape& shape, DType dtype, const Device& device) { return full(shape, 1.0, dtype, device); }

Tensor empty_like(const Tensor& like) { return empty_like(like, like.dtype()); }

Tensor empty_like(const Tensor& like, DType dtype) {
  return empty_dense(like.shape(), dense_strides(like.shape(), like.strides()), dtype, like.device());
}

Tensor empty_like(const Tensor& like, const Shape& shape) {
  require(shape.ndim() == like.ndim(), "empty_like", "needs a size for each axis of ", like, ", got ", shape);
  check_sizes("empty_like", shape);
  const Shape strides = like.is_contiguous() ? contiguous_strides(shape) : dense_strides(shape, like.strides());
  return empty_dense(shape, strides, like.dtype(), like.device());
}

Tensor zeros_like(const Tensor& like) {
  Tensor out = empty_like(like);
  out.fill_(0.0);
  return out;
}

Tensor arange(Index n, DType dtype) {
  check_sizes("arange", {n});
  std::vector<std::int64_t> values(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<std::int64_t>(i);
  }
  return to(from_values(values, {n}), dtype);
}

template <class T>
Tensor from_values(std::span<const T> values, const Shape& shape) {
  check_sizes("from_values", shape);
  require(static_cast<Index>(values.size()) == shape.numel(), "from_values", values.size(), " values for the shape ", shape);
  Tensor out = empty(shape, dtype_of<T>());
  std::copy(values.begin(), values.end(), out.mutable_data<T>());
  return out;
}

template Tensor from_values(std::span<const float>, const Shape&);
template Tensor from_values(std::span<const double>, const Shape&);
template Tensor from_values(std::span<const std::uint8_t>, const Shape&);
template Tensor from_values(std::span<const std::int32_t>, const Shape&);
template Tensor from_values(std::span<const std::int64_t>, const Shape&);

}  // namespace lora
