// A stand-in for a wake-word detector: it re-initialises whenever its settings change, and refuses a model
// that it does not have. Real ones load the model where this one prints a line.
#include <cstdio>
#include <filesystem>

#include "module/module.hpp"
#include "protocol/canonical_json.hpp"

namespace {

namespace fs = std::filesystem;
using starling::JsonObject;

class HotwordDetector final : public starling::module::Handler {
 public:
  explicit HotwordDetector(fs::path models) : models_(std::move(models)) {}

  std::vector<starling::module::KeyError> check(const JsonObject& values,
                                                const std::vector<std::string>&) override {
    std::vector<starling::module::KeyError> errors;
    for (const auto& model : values.at("hotword.models").as_array()) {
      const std::string name(model.as_string());
      if (!fs::exists(models_ / name)) {
        errors.push_back({"hotword.models", "model '" + name + "' is not in " + models_.string()});
      }
    }
    return errors;
  }

  void apply(const JsonObject& values) override {
    std::printf("hotword: listening with models %s, threshold %s\n", text(values, "hotword.models").c_str(),
                text(values, "hotword.threshold").c_str());
    std::fflush(stdout);
  }

 private:
  static std::string text(const JsonObject& values, std::string_view key) {
    return starling::protocol::canonical_json(values.at(key));
  }
  fs::path models_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: hotword-module MODELS_FOLDER [AGENT_SOCKET]\n");
    return 2;
  }
  HotwordDetector detector(argv[1]);
  starling::module::Options options;
  options.name = "hotword";
  options.components = {"hotword"};
  if (argc == 3) options.socket = argv[2];
  starling::module::run_for_ever(options, detector);
}
