#include <catch2/catch.hpp>
#include <string>

#include "core/autograd.hpp"
#include "core/ops/random.hpp"
#include "core/serialize.hpp"
#include "models/cnn.hpp"
#include "models/mlp.hpp"
#include "models/resnet.hpp"
#include "models/vgg.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/source_file.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::test;
using Catch::Matchers::Contains;

namespace {

models::CnnOptions small_cnn() {
  models::CnnOptions options;
  options.in_channels = 2;
  options.stages = {{3}, {4}};
  options.hidden = 5;
  options.classes = 3;
  options.image_size = {9, 6};
  return options;
}

models::VggOptions small_vgg() {
  models::VggOptions options;
  options.stages = {{2}, {3}, {4, 5}};
  options.hidden = 6;
  options.image_size = 12;
  return options;
}

models::ResNetOptions small_resnet() {
  models::ResNetOptions options;
  options.in_channels = 2;
  options.widths = {3, 4, 5};
  options.blocks = 2;
  options.classes = 3;
  return options;
}

/// Values of order 1 in float32, summed in another order than the reference's.
constexpr double kTolerance = 2e-6;

void check_reference(nn::Module& model, const std::string& name) {
  const SafetensorsFile file = load_safetensors(lora::test::source_file("tests/data/model_" + name + ".safetensors"));
  nn::StateDict state;
  for (const auto& [key, tensor] : file.tensors) {
    if (key.starts_with("state.")) {
      state.push_back({key.substr(6), tensor});
    }
  }
  model.load_state_dict(state);  // takes neither more nor fewer names
  const NoGrad no_grad;
  model.train();
  CHECK(max_difference(model(file.at("x")), file.at("train")) <= kTolerance);
  model.eval();
  CHECK(max_difference(model(file.at("x")), file.at("eval")) <= kTolerance);
}

Index count(const nn::Module& model) {
  Index sum = 0;
  for (const Tensor& tensor : model.parameters()) {
    sum += tensor.numel();
  }
  return sum;
}

}  // namespace

TEST_CASE("models: names and logits are PyTorch's", "[models]") {
  models::Cnn cnn(small_cnn());
  check_reference(cnn, "cnn");
  models::Vgg vgg(small_vgg());
  check_reference(vgg, "vgg");
  models::ResNet resnet(small_resnet());
  check_reference(resnet, "resnet");
}

TEST_CASE("models: sizes are those of the experiments", "[models]") {
  CHECK(count(models::Mlp()) == 55'050);
  CHECK(count(models::Cnn()) == 421'642);
  CHECK(count(models::Vgg()) == 3'330'314);
  CHECK(count(models::ResNet()) == 272'186);
  CHECK(count(models::ResNet(models::ResNetOptions::resnet18())) == 11'172'810);
}

TEST_CASE("models: take other sizes, and batches of none and one", "[models]") {
  models::Cnn cnn(small_cnn());
  models::ResNet resnet(small_resnet());
  cnn.eval();
  resnet.eval();
  for (const Index n : {0, 1}) {
    CHECK(cnn(zeros({n, 2, 9, 6})).shape() == Shape{n, 3});
    CHECK(resnet(zeros({n, 2, 9, 6})).shape() == Shape{n, 3});
    CHECK(resnet(zeros({n, 2, 1, 1})).shape() == Shape{n, 3});
  }
  CHECK(cnn.describe() == "Cnn(3 | 4 | 5, 3)");
  CHECK(models::Vgg(small_vgg()).describe() == "Vgg(2 | 3 | 4, 5 | 6, 10)");
  CHECK(resnet.describe() == "ResNet(3, 4, 5, 2 blocks each)");
}

TEST_CASE("models: sizes that make no model are errors", "[models]") {
  const auto cnn_error = [](auto change) {
    models::CnnOptions options = small_cnn();
    change(options);
    return error_of([&] { models::Cnn model(options); });
  };
  CHECK_THAT(cnn_error([](auto& o) { o.hidden = 0; }), Contains("hidden 0"));
  CHECK_THAT(cnn_error([](auto& o) { o.classes = -1; }), Contains("classes -1"));
  CHECK_THAT(cnn_error([](auto& o) { o.in_channels = 0; }), Contains("in_channels 0"));
  CHECK_THAT(cnn_error([](auto& o) { o.image_size = 3; }), Contains("2 stages leave nothing") && Contains("(3, 3)"));
  CHECK_THAT(cnn_error([](auto& o) { o.stages = {{3}, {0}}; }), Contains("0 outputs"));
  CHECK_THAT(cnn_error([](auto& o) { o.stages = {{-3}, {1}}; }), Contains("sizes must be positive"));
  const auto resnet_error = [](auto change) {
    models::ResNetOptions options = small_resnet();
    change(options);
    return error_of([&] { models::ResNet model(options); });
  };
  CHECK_THAT(resnet_error([](auto& o) { o.widths = {}; }), Contains("got 0, 2 and 3"));
  CHECK_THAT(resnet_error([](auto& o) { o.blocks = 0; }), Contains("got 3, 0 and 3"));
  CHECK_THAT(resnet_error([](auto& o) { o.widths = {3, 0}; }), Contains("sizes must be positive"));
}
