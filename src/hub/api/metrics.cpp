#include "hub/api/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <vector>

namespace starling::hub {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

class Families {
 public:
  void counter(const char* name, const char* help, std::uint64_t value) {
    ClientMetric metric;
    metric.counter.value = static_cast<double>(value);
    add(name, help, MetricType::Counter, std::move(metric));
  }
  void gauge(const char* name, const char* help, double value, std::string fleet = {}) {
    ClientMetric metric;
    metric.gauge.value = value;
    if (!fleet.empty()) metric.label = {{"fleet", std::move(fleet)}};
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

}  // namespace

std::string metrics_text(MetricsSources sources) {
  Families families;
  ChangeLog& changes = sources.hub.changes();
  const Sessions& sessions = sources.hub.sessions();
  for (const std::string& fleet : changes.fleets()) {
    const FleetState* state = changes.published(fleet);
    families.gauge("starling_revision", "Newest revision of the fleet's change log",
                   static_cast<double>(state->revision()), fleet);
    families.gauge("starling_devices_registered", "Registered devices",
                   static_cast<double>(state->devices().size()), fleet);
    families.gauge("starling_devices_linked", "Devices with an open link",
                   static_cast<double>(sessions.online_count(fleet)), fleet);
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
  families.gauge("starling_uptime_seconds", "Since the hub started", sources.uptime_seconds);
  return families.text();
}

}  // namespace starling::hub
