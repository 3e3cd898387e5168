// The part of the sessions that lets people read the logs of modules while they are written.
#include "base/uuid.hpp"
#include "hub/device_link/device_session.hpp"

namespace starling::hub {

Result<std::string> Sessions::follow_log(const std::string& device_id, protocol::LogFollow request,
                                         LogReader reader) {
  const auto found = by_device_.find(device_id);
  if (found == by_device_.end() || !found->second->is_live()) {
    return fail(ErrorCode::unavailable, "the device is offline: its logs are read through its link");
  }
  auto& readers = log_readers_[device_id];
  if (readers.size() >= options_.max_log_readers) {
    return fail(ErrorCode::failed_precondition,
                "as many others as the hub allows read logs of this device already: try again when one has "
                "stopped");
  }
  request.id = make_uuid_v7(clock_.wall());
  readers.emplace(request.id, std::move(reader));
  found->second->send(request);
  return std::move(request.id);
}

void Sessions::stop_log(const std::string& device_id, const std::string& follow_id) {
  const auto device = log_readers_.find(device_id);
  if (device == log_readers_.end() || device->second.erase(follow_id) == 0) return;
  if (device->second.empty()) log_readers_.erase(device);
  const auto session = by_device_.find(device_id);
  if (session != by_device_.end()) session->second->send(protocol::LogStop{follow_id});
}

bool Sessions::has_log_reader(const std::string& device_id, const std::string& follow_id) const {
  const auto device = log_readers_.find(device_id);
  return device != log_readers_.end() && device->second.contains(follow_id);
}

// The reader may stop, here and now.
void Sessions::log_read(const std::string& device_id, const protocol::LogLines& lines) {
  const auto device = log_readers_.find(device_id);
  if (device == log_readers_.end()) return;
  const auto found = device->second.find(lines.id);
  if (found == device->second.end()) return;
  const LogReader reader = found->second;
  if (lines.ended) {
    device->second.erase(found);
    if (device->second.empty()) log_readers_.erase(device);
  }
  reader(lines, false);
}

void Sessions::end_logs(const std::string& device_id, std::string_view why) {
  auto readers = log_readers_.extract(device_id);
  if (readers.empty()) return;
  for (const auto& [id, reader] : readers.mapped())
    reader({id, {}, true, std::string(why)}, true);
}

// Whoever reads pays for it: these lines are not counted among the messages that a device may send.
void DeviceSession::handle(const protocol::LogLines& message) {
  if (!sessions_.has_log_reader(request_.device_id, message.id)) return;
  messages_.earn(1);
  sessions_.log_read(request_.device_id, message);
}

}  // namespace starling::hub
