#include "hub/api/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "protocol/modules_document.hpp"

namespace starling::hub {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

class Families {
 public:
  using Labels = std::vector<ClientMetric::Label>;
  void counter(const char* name, const char* help, std::uint64_t value, Labels labels = {}) {
    ClientMetric metric;
    metric.counter.value = static_cast<double>(value);
    metric.label = std::move(labels);
    add(name, help, MetricType::Counter, std::move(metric));
  }
  void gauge(const char* name, const char* help, double value, Labels labels = {}) {
    ClientMetric metric;
    metric.gauge.value = value;
    metric.label = std::move(labels);
    add(name, help, MetricType::Gauge, std::move(metric));
  }
  std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

 private:
  void add(const char* name, const char* help, MetricType type, ClientMetric metric) {
    for (MetricFamily& family : families_) {
      if (family.name == name) return family.metric.push_back(std::move(metric));
    }
    families_.push_back({name, help, type, {std::move(metric)}});
  }

  std::vector<MetricFamily> families_;
};

constexpr std::size_t max_named_modules = 100;
constexpr std::string_view other_modules = "other";

// The modules that most devices have keep their names.
std::set<std::string_view> named_modules(const ModuleTally& tally) {
  std::vector<std::pair<std::int64_t, std::string_view>> by_devices;
  for (const auto& [name, module] : tally.modules())
    if (protocol::valid_module_name(name)) by_devices.emplace_back(-module.devices, name);
  std::ranges::sort(by_devices);
  if (by_devices.size() > max_named_modules) by_devices.resize(max_named_modules);
  std::set<std::string_view> names;
  for (const auto& [devices, name] : by_devices)
    names.insert(name);
  return names;
}

// Without any device's name; modules beyond the hundredth of a fleet are one.
void add_modules(Families& families, const std::string& fleet, const ModuleTally& tally) {
  const auto named = named_modules(tally);
  const auto shown = [&](const std::string& name) {
    return std::string(named.contains(name) ? std::string_view(name) : other_modules);
  };
  std::map<std::string, ModuleTally::Module> modules;
  for (const auto& [name, module] : tally.modules()) {
    if (!protocol::valid_module_name(name)) continue;
    ModuleTally::Module& sum = modules[shown(name)];
    sum.use.add(module.use, 1);
    for (const auto& [state, devices] : module.by_state)
      sum.by_state[state] += devices;
  }
  for (const auto& [name, module] : modules) {
    for (const auto& [state, devices] : module.by_state) {
      families.gauge("starling_modules", "Modules on devices, by the state that was reported last",
                     static_cast<double>(devices), {{"fleet", fleet}, {"module", name}, {"state", state}});
    }
    const Families::Labels labels{{"fleet", fleet}, {"module", name}};
    families.gauge("starling_module_memory_bytes", "Memory of a module, on all devices",
                   static_cast<double>(module.use.memory_kb) * 1024, labels);
    families.gauge("starling_module_cpu_percent", "Use of processors by a module, on all devices",
                   static_cast<double>(module.use.cpu_centipercent) / 100, labels);
    families.gauge("starling_module_descriptors", "Open descriptors of a module, on all devices",
                   static_cast<double>(module.use.descriptors), labels);
    families.gauge("starling_module_restarts", "Restarts of a module since the devices' agents started",
                   static_cast<double>(module.use.restarts), labels);
  }
  std::map<ModuleTally::Names, std::uint64_t> deaths;
  for (const auto& [names, count] : tally.deaths())
    deaths[{shown(names.first), names.second}] += count;
  for (const auto& [names, count] : deaths) {
    families.counter("starling_module_deaths_total", "Deaths of modules that devices told of", count,
                     {{"fleet", fleet}, {"module", names.first}, {"class", names.second}});
  }
  for (const auto& [kind, count] : tally.module_alerts()) {
    families.gauge("starling_module_alerts", "Open alerts of devices about their modules",
                   static_cast<double>(count), {{"fleet", fleet}, {"kind", kind}});
  }
  for (const auto& [kind, count] : tally.board_alerts()) {
    families.gauge("starling_board_alerts", "Open alerts of boards", static_cast<double>(count),
                   {{"fleet", fleet}, {"kind", kind}});
  }
  const auto extreme = [&](const char* name, const char* help, std::optional<std::int64_t> number,
                           double unit) {
    if (number) families.gauge(name, help, static_cast<double>(*number) * unit, {{"fleet", fleet}});
  };
  constexpr double percent = 0.01;
  extreme("starling_board_temperature_max_celsius", "Of the hottest board", tally.hottest_c(), 1);
  extreme("starling_board_memory_available_min_ratio", "Of the board with the least",
          tally.least_memory_percent(), percent);
  extreme("starling_board_disk_free_min_ratio", "Of the board with the least", tally.least_disk_percent(),
          percent);
}

void add_releases(Families& families, const Encodings& encodings) {
  for (const auto encoding :
       {protocol::Encoding::delta, protocol::Encoding::packed, protocol::Encoding::plain}) {
    const auto sent = encodings.sent().find(encoding);
    families.counter(
        "starling_release_bytes_sent_total", "Bytes of releases answered with, by how they are encoded",
        sent == encodings.sent().end() ? 0 : sent->second, {{"encoding", std::string(to_string(encoding))}});
  }
  families.gauge("starling_release_encodings_bytes", "Deltas and packed releases that are kept on disk",
                 static_cast<double>(encodings.bytes_kept()));
}

}  // namespace

std::string metrics_text(MetricsSources sources) {
  Families families;
  ChangeLog& changes = sources.hub.changes();
  const Sessions& sessions = sources.hub.sessions();
  for (const std::string& fleet : changes.fleets()) {
    const FleetState* state = changes.published(fleet);
    families.gauge("starling_revision", "Newest revision of the fleet's change log",
                   static_cast<double>(state->revision()), {{"fleet", fleet}});
    families.gauge("starling_devices_registered", "Registered devices",
                   static_cast<double>(state->devices().size()), {{"fleet", fleet}});
    families.gauge("starling_devices_linked", "Devices with an open link",
                   static_cast<double>(sessions.online_count(fleet)), {{"fleet", fleet}});
    add_modules(families, fleet, sources.hub.records().modules(fleet));
  }
  const Sessions::Counters& link = sessions.counters();
  families.counter("starling_link_handshakes_total", "Accepted handshakes", link.handshakes);
  families.counter("starling_link_handshakes_refused_total", "Refused handshakes", link.refused_handshakes);
  families.counter("starling_link_fenced_total", "Sessions fenced off by a newer epoch", link.fenced);
  families.counter("starling_link_updates_sent_total", "config_update messages sent", link.updates_sent);
  families.counter("starling_link_patches_sent_total", "config_update messages sent as a patch",
                   link.patches_sent);
  families.counter("starling_link_statuses_total", "config_status messages received", link.statuses);
  families.counter("starling_link_proposals_total", "Edits proposed by devices", link.proposals);
  families.counter("starling_link_bad_messages_total", "Messages that could not be read", link.bad_messages);
  families.counter("starling_documents_resolved_total", "Documents resolved, one for each class of devices",
                   sources.hub.documents().counters().resolved_documents);
  families.counter("starling_http_connections_total", "Accepted connections", sources.http.accepted);
  families.counter("starling_http_requests_total", "Requests served", sources.http.requests);
  families.counter("starling_http_bad_requests_total", "Requests that could not be read",
                   sources.http.bad_requests);
  families.counter("starling_http_websockets_total", "Upgraded connections", sources.http.websockets);
  families.gauge("starling_http_connections_open", "Open connections",
                 static_cast<double>(sources.http.open));
  families.gauge("starling_streams_open", "Open live streams", static_cast<double>(sources.streams));
  if (sources.encodings != nullptr) add_releases(families, *sources.encodings);
  families.gauge("starling_uptime_seconds", "Since the hub started", sources.uptime_seconds);
  return families.text();
}

}  // namespace starling::hub
