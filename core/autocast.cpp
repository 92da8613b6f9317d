#include "core/autocast.hpp"

#include "core/base/error.hpp"

namespace lora {

namespace {

thread_local DType products = DType::f32;

}  // namespace

Autocast::Autocast(DType dtype) : before_(products) {
  require(dtype == DType::f32 || dtype == DType::bf16, "Autocast", "products of f32 are computed in f32 or bf16, got ", dtype,
          "; pass DType::bf16, or DType::f32 to switch it off");
  products = dtype;
}

Autocast::~Autocast() { products = before_; }

DType autocast_dtype() { return products; }

}  // namespace lora
