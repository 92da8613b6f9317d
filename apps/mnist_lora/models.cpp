#include "apps/mnist_lora/models.hpp"

#include "apps/mnist_lora/recipe.hpp"
#include "models/cnn.hpp"
#include "models/mlp.hpp"
#include "models/resnet.hpp"
#include "models/vgg.hpp"

namespace mnist_lora {

namespace {

struct Row {
  const char* name;
  std::unique_ptr<lora::nn::Module> (*make)();
  double lr;
};

template <class M>
std::unique_ptr<lora::nn::Module> make() {
  return std::make_unique<M>();
}

std::unique_ptr<lora::nn::Module> make_resnet18() {
  return std::make_unique<lora::models::ResNet>(lora::models::ResNetOptions::resnet18());
}

constexpr Row kModels[] = {
    {"mlp", make<lora::models::Mlp>, recipe::kBaseLr}, {"cnn", make<lora::models::Cnn>, 2e-3}, {"vgg", make<lora::models::Vgg>, 1e-3},
    {"resnet20", make<lora::models::ResNet>, 5e-3},    {"resnet18", make_resnet18, 2e-3},
};

const Row& row_of(const std::string& name) {
  std::string known;
  for (const Row& row : kModels) {
    if (name == row.name) {
      return row;
    }
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  lora::fail("model", "there is no model '", name, "'; known are ", known);
}

}  // namespace

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const Row& row : kModels) {
    names.emplace_back(row.name);
  }
  return names;
}

std::unique_ptr<lora::nn::Module> make_model(const std::string& name) { return row_of(name).make(); }

double model_lr(const std::string& name) { return row_of(name).lr; }

}  // namespace mnist_lora
