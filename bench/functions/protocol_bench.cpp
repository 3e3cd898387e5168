// What the hub does for every change and every device: resolving, serialising, hashing, patching, encoding
// and decoding. The components are the shipped ones and a fleet's larger one of 200 settings.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <vector>

#include "base/build_folders.hpp"
#include "base/json_folder.hpp"
#include "protocol/canonical_json.hpp"
#include "protocol/document.hpp"
#include "protocol/merge_patch.hpp"
#include "protocol/messages.hpp"
#include "protocol/resolution.hpp"

namespace starling::protocol {
namespace {

using Components = std::vector<std::shared_ptr<const Component>>;

Components shipped_components() {
  Components components;
  const auto files = read_json_folders({source_folder() / "components"}).value();
  const Catalog catalog = catalog_of(files).value();
  for (const auto& [name, component] : catalog.components())
    components.push_back(component);
  return components;
}

Components large_components(int settings) {
  JsonObject properties;
  for (int i = 0; i < settings; ++i) {
    properties[fmt::format("setting_{:04}", i)] = {
        {"type", "integer"}, {"minimum", 0}, {"maximum", 1'000'000}, {"default", i}};
  }
  return {Component::from_json(JsonObject{{"x-component", "large"}, {"properties", std::move(properties)}})
              .value()};
}

// Six layers, each with a third of the settings, as written and accepted.
class Stack {
 public:
  explicit Stack(const Components& components, bool marked = true) {
    const LayerKind kinds[] = {LayerKind::fleet, LayerKind::persona, LayerKind::group,
                               LayerKind::group, LayerKind::device,  LayerKind::policy_fleet};
    ids_.reserve(std::size(kinds));
    values_.resize(std::size(kinds));
    for (std::size_t layer = 0; layer < std::size(kinds); ++layer) {
      ids_.push_back({kinds[layer], fmt::format("{}", layer)});
      for (const auto& component : components) {
        for (std::size_t i = layer % 3; i < component->settings().size(); i += 3) {
          const SettingSchema& setting = component->settings()[i];
          values_[layer][setting.key] = {
              setting.default_value, static_cast<std::int64_t>(layer * 1000 + i), {}};
        }
        if (marked) mark_accepted(values_[layer], *component);
      }
      views_.push_back({&ids_[layer], &values_[layer], 0});
    }
  }
  std::span<const LayerView> views() const { return views_; }

 private:
  std::vector<LayerId> ids_;
  std::vector<LayerValues> values_;
  std::vector<LayerView> views_;
};

void resolve_layers(benchmark::State& state, const Components& components, bool marked) {
  const Stack stack(components, marked);
  std::int64_t values = 0;
  for (auto _ : state) {
    const auto effective = resolve(components, stack.views());
    benchmark::DoNotOptimize(effective.data());
    values += static_cast<std::int64_t>(effective.size());
  }
  state.SetItemsProcessed(values);
}

void ResolveShipped(benchmark::State& state) {
  resolve_layers(state, shipped_components(), true);
}
BENCHMARK(ResolveShipped);
void Resolve200Settings(benchmark::State& state) {
  resolve_layers(state, large_components(200), true);
}
BENCHMARK(Resolve200Settings);
// Right after a component's file has changed, before the entries are marked again.
void ResolveShippedUnmarked(benchmark::State& state) {
  resolve_layers(state, shipped_components(), false);
}
BENCHMARK(ResolveShippedUnmarked);

SettingsDocument shipped_document() {
  const Components components = shipped_components();
  const Stack stack(components);
  return make_settings_document(
      components, resolve(components, stack.views()),
      {{"name", "TARS"}, {"voice_id", "en-gb-male-2"}, {"prompt", std::string(400, 'p')}});
}

// From layers to the bytes and the hash that are sent: what one class of devices costs.
void MakeDocument(benchmark::State& state) {
  const Components components = shipped_components();
  const Stack stack(components);
  const JsonObject persona{{"name", "TARS"}, {"voice_id", "en-gb-male-2"}};
  for (auto _ : state) {
    const auto document = make_settings_document(components, resolve(components, stack.views()), persona);
    const std::string text = canonical_json(document.to_json());
    benchmark::DoNotOptimize(sha256(text));
  }
}
BENCHMARK(MakeDocument);

void CanonicalJson(benchmark::State& state) {
  const Json document = shipped_document().to_json();
  std::int64_t bytes = 0;
  for (auto _ : state) {
    const std::string text = canonical_json(document);
    benchmark::DoNotOptimize(text.data());
    bytes += static_cast<std::int64_t>(text.size());
  }
  state.SetBytesProcessed(bytes);
}
BENCHMARK(CanonicalJson);

void HashOfDocument(benchmark::State& state) {
  const Json document = shipped_document().to_json();
  for (auto _ : state)
    benchmark::DoNotOptimize(hash_of(document));
}
BENCHMARK(HashOfDocument);

void MakeMergePatch(benchmark::State& state) {
  const Json from = shipped_document().to_json();
  Json to = from;
  to.as_object()["settings"].as_object()["hotword.threshold"] = 0.75;
  for (auto _ : state)
    benchmark::DoNotOptimize(make_merge_patch(from, to));
}
BENCHMARK(MakeMergePatch);

void ApplyMergePatch(benchmark::State& state) {
  Json target = shipped_document().to_json();
  const Json patch = parse_json(R"({"settings":{"hotword.threshold":0.75}})").value();
  for (auto _ : state) {
    apply_merge_patch(target, patch);
    benchmark::DoNotOptimize(target);
  }
}
BENCHMARK(ApplyMergePatch);

void ValidateValue(benchmark::State& state) {
  Catalog catalog;
  for (const auto& component : shipped_components()) {
    if (!catalog.put(component)) state.SkipWithError("two components share an alias");
  }
  const Json value = JsonArray{"Hey_Tars.tflite", "Tars.tflite"};
  for (auto _ : state)
    benchmark::DoNotOptimize(catalog.validate("HOTWORD_MODELS", value));
}
BENCHMARK(ValidateValue);

ConfigUpdate update_head() {
  ConfigUpdate head;
  head.revision = 123'456;
  head.hub_generation = "0193f9a2-7c4e-7b1a-9c55-0f6f5f0e2d11";
  head.base = sha256("base");
  head.hash = sha256("hash");
  return head;
}

void EncodeConfigUpdate(benchmark::State& state) {
  const ConfigUpdate head = update_head();
  const std::string payload = R"({"settings":{"hotword.threshold":0.75}})";
  for (auto _ : state)
    benchmark::DoNotOptimize(encode_config_update(head, payload));
}
BENCHMARK(EncodeConfigUpdate);

void DecodeConfigUpdate(benchmark::State& state) {
  const std::string text = encode_config_update(update_head(), R"({"settings":{"hotword.threshold":0.75}})");
  for (auto _ : state)
    benchmark::DoNotOptimize(decode_from_hub(text));
}
BENCHMARK(DecodeConfigUpdate);

FromDevice applied_status() {
  return ConfigStatus{Section::settings, sha256("hash"), 123'456, sha256("hash"), Phase::applied, {}};
}

void EncodeConfigStatus(benchmark::State& state) {
  const FromDevice status = applied_status();
  for (auto _ : state)
    benchmark::DoNotOptimize(encode(status));
}
BENCHMARK(EncodeConfigStatus);

void DecodeConfigStatus(benchmark::State& state) {
  const std::string text = encode(applied_status());
  for (auto _ : state)
    benchmark::DoNotOptimize(decode_from_device(text));
}
BENCHMARK(DecodeConfigStatus);

void DecodeHeartbeat(benchmark::State& state) {
  const std::string text =
      encode(FromDevice(Heartbeat{{{Section::settings, sha256("a"), {}}}, 0, {{"uptime_s", 12}}}));
  for (auto _ : state)
    benchmark::DoNotOptimize(decode_from_device(text));
}
BENCHMARK(DecodeHeartbeat);

}  // namespace
}  // namespace starling::protocol
