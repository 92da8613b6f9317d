#include "core/dlpack.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "core/dlpack_abi.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/view.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using Catch::Matchers::Contains;
using lora::test::error_of;

namespace {

/// Six floats, as another library would hand them over, and how often they were given back.
struct Foreign {
  alignas(64) std::array<float, 6> values{0, 1, 2, 3, 4, 5};
  std::array<std::int64_t, 2> shape{2, 3}, strides{3, 1};
  int deleted = 0;
  DLManagedTensor managed{};

  Foreign() {
    managed.dl_tensor = {values.data(), {detail::kDLCPU, 0}, 2, {detail::kDLFloat, 32, 1}, shape.data(), strides.data(), 0};
    managed.manager_ctx = this;
    managed.deleter = [](DLManagedTensor* self) { ++static_cast<Foreign*>(self->manager_ctx)->deleted; };
  }
  Foreign(const Foreign&) = delete;
  Foreign& operator=(const Foreign&) = delete;
};

const void* address(const Tensor& x) { return x.view().data; }

void check_same_view(const Tensor& a, const Tensor& b) {
  CHECK(address(a) == address(b));
  CHECK(a.dtype() == b.dtype());
  CHECK(a.shape() == b.shape());
  CHECK(a.strides() == b.strides());
}

}  // namespace

TEST_CASE("dlpack: the layout is the specification's", "[dlpack]") {
  CHECK(offsetof(detail::DLTensor, device) == 8);
  CHECK(offsetof(detail::DLTensor, ndim) == 16);
  CHECK(offsetof(detail::DLTensor, dtype) == 20);
  CHECK(offsetof(detail::DLTensor, shape) == 24);
  CHECK(offsetof(detail::DLTensor, strides) == 32);
  CHECK(offsetof(detail::DLTensor, byte_offset) == 40);
  CHECK(offsetof(DLManagedTensor, manager_ctx) == 48);
  CHECK(offsetof(DLManagedTensor, deleter) == 56);
}

TEST_CASE("dlpack: every dtype goes out and comes in under its code", "[dlpack]") {
  struct Row {
    DType dtype;
    detail::DLDataType type;
  };
  const Row row =
      GENERATE(Row{DType::f32, {2, 32, 1}}, Row{DType::f64, {2, 64, 1}}, Row{DType::bf16, {4, 16, 1}}, Row{DType::f16, {2, 16, 1}},
               Row{DType::u8, {1, 8, 1}}, Row{DType::i32, {0, 32, 1}}, Row{DType::i64, {0, 64, 1}}, Row{DType::boolean, {6, 8, 1}});
  INFO(name(row.dtype));
  Tensor x = to(arange(6), row.dtype);
  DLManagedTensor* managed = to_dlpack(x);
  CHECK(managed->dl_tensor.dtype == row.type);
  Tensor y = from_dlpack(managed);
  check_same_view(y, x);
  y.fill_(1);
  CHECK(to(x, DType::i64).to_vector<std::int64_t>() == std::vector<std::int64_t>(6, 1));
}

TEST_CASE("dlpack: views keep their strides", "[dlpack]") {
  const Tensor x = reshape(to(arange(24), DType::f32), {2, 3, 4});
  const std::vector<Tensor> views{x,
                                  permute(x, {2, 0, 1}),
                                  narrow(x, 1, 1, 2),
                                  narrow(narrow(x, 0, 1, 1), 2, 3, 1),
                                  expand(narrow(x, 1, 2, 1), {2, 5, 4}),
                                  reshape(narrow(flatten(x), 0, 7, 1), {}),
                                  reshape(x, {1, 2, 1, 3, 1, 4, 1, 1})};
  const Tensor& view = views[GENERATE(range(std::size_t{0}, std::size_t{7}))];
  INFO(view);
  const Tensor y = from_dlpack(to_dlpack(view));
  check_same_view(y, view);
  CHECK(y.to_vector<float>() == view.to_vector<float>());
}

TEST_CASE("dlpack: tensors without elements have no data", "[dlpack]") {
  const Tensor x = permute(zeros({3, 0, 2}), {2, 0, 1});
  DLManagedTensor* managed = to_dlpack(x);
  CHECK(managed->dl_tensor.data == nullptr);
  const Tensor y = from_dlpack(managed);
  CHECK(y.shape() == x.shape());
  CHECK((y + 1.0).numel() == 0);
}

TEST_CASE("dlpack: an exported tensor's memory lives until its deleter is called", "[dlpack]") {
  const std::size_t before = memory_stats().current_bytes;
  DLManagedTensor* managed = nullptr;
  {
    const Tensor x = ones({100});
    managed = to_dlpack(x);
  }
  CHECK(memory_stats().current_bytes > before);
  CHECK(static_cast<float*>(managed->dl_tensor.data)[99] == 1);
  managed->deleter(managed);
  CHECK(memory_stats().current_bytes == before);
}

TEST_CASE("dlpack: an imported tensor is given back once, after its last view", "[dlpack]") {
  Foreign foreign;
  Tensor column;
  {
    Tensor x = from_dlpack(&foreign.managed);
    CHECK(address(x) == foreign.values.data());
    column = narrow(x, 1, 2, 1);
    x.fill_(7);
  }
  CHECK(foreign.values[5] == 7);
  foreign.values[2] = 9;
  CHECK(column.to_vector<float>() == std::vector<float>{9, 7});
  CHECK(foreign.deleted == 0);
  const Tensor again = from_dlpack(to_dlpack(column));  // and through a second hand
  column = {};
  CHECK(foreign.deleted == 0);
  CHECK(again.to_vector<float>() == std::vector<float>{9, 7});
}

TEST_CASE("dlpack: the deleter is called once, and may be missing", "[dlpack]") {
  Foreign foreign;
  from_dlpack(&foreign.managed);
  CHECK(foreign.deleted == 1);
  foreign.managed.deleter = nullptr;
  from_dlpack(&foreign.managed);
  CHECK(foreign.deleted == 1);
}

TEST_CASE("dlpack: missing strides, an offset and unused strides are understood", "[dlpack]") {
  Foreign foreign;
  foreign.managed.dl_tensor.strides = nullptr;
  CHECK(from_dlpack(&foreign.managed).strides() == Shape{3, 1});

  foreign.managed.dl_tensor.strides = foreign.strides.data();
  foreign.shape = {1, 2};
  foreign.strides = {-8, 2};  // an axis of size 1 is never walked
  foreign.managed.dl_tensor.byte_offset = 4;
  CHECK(from_dlpack(&foreign.managed).to_vector<float>() == std::vector<float>{1, 3});

  foreign.managed.dl_tensor.ndim = 0;
  foreign.managed.dl_tensor.shape = nullptr;
  CHECK(from_dlpack(&foreign.managed).item<float>() == 1);
}

TEST_CASE("dlpack: gradients stay inside", "[dlpack]") {
  Tensor x = ones({2});
  x.requires_grad_();
  CHECK_THAT(error_of([&] { to_dlpack(x); }), Contains("[to_dlpack] f32[2]@cpu takes part in gradients") && Contains("detach()"));
  CHECK_THAT(error_of([&] { to_dlpack(x * 2.0); }), Contains("takes part in gradients"));
  CHECK(from_dlpack(to_dlpack(x.detach())).requires_grad() == false);
  CHECK_THROWS_AS(to_dlpack(Tensor{}), Error);
}

TEST_CASE("dlpack: what does not fit is an error and stays the caller's", "[dlpack]") {
  Foreign foreign;
  detail::DLTensor& source = foreign.managed.dl_tensor;
  const auto error = [&] { return error_of([&] { from_dlpack(&foreign.managed); }); };
  std::string expected;
  SECTION("a device") {
    source.device.device_type = 2;
    expected = "on a device of type 2, the CPU's is 1";
  }
  SECTION("a dtype") {
    source.dtype.bits = 128;
    expected = "no dtype for type code 2 with 128 bits and 1 lanes";
  }
  SECTION("lanes") {
    source.dtype.lanes = 4;
    expected = "and 4 lanes";
  }
  SECTION("too many axes") {
    source.ndim = 9;
    expected = "9 axes, a tensor has at most 8";
  }
  SECTION("a negative number of axes") {
    source.ndim = -1;
    expected = "-1 axes";
  }
  SECTION("no sizes") {
    source.shape = nullptr;
    expected = "the pointer to their sizes is null";
  }
  SECTION("a negative size") {
    foreign.shape[0] = -2;
    expected = "[-2,3]";
  }
  SECTION("negative strides") {
    foreign.strides = {3, -1};
    expected = "strides [3,-1] of the shape [2,3] are negative";
  }
  SECTION("more than there can be") {
    foreign.strides = {std::numeric_limits<std::int64_t>::max(), 1};
    expected = "takes more memory than there can be";
  }
  SECTION("more bytes than there can be") {
    foreign.strides = {std::numeric_limits<std::int64_t>::max() / 2, 1};
    expected = "takes more memory than there can be";
  }
  SECTION("no data") {
    source.data = nullptr;
    expected = "f32[2,3] without data";
  }
  SECTION("data between two elements") {
    source.byte_offset = 2;
    expected = "does not begin at a multiple of 4 bytes";
  }
  CHECK_THAT(error(), Contains("[from_dlpack] ") && Contains(expected));
  CHECK(foreign.deleted == 0);
  CHECK_THAT(error_of([] { from_dlpack(nullptr); }), Contains("the pointer is null"));
}
