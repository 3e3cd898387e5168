#include "agent/update/device_time.hpp"

#include <sys/timex.h>

#include <algorithm>

#include "agent/settings/sealed_json.hpp"
#include "base/rfc3339.hpp"

namespace starling::agent {
namespace {

constexpr std::size_t max_time_bytes = 1024;
constexpr WallTime end_of_time = std::chrono::sys_days(std::chrono::year(9999) / 12 / 31);

Result<WallTime> read_good_time(Disk& disk) {
  const auto text = disk.read_file(DeviceTime::path, max_time_bytes);
  if (!text) return fail(text);
  const auto json = unseal(*text);
  if (!json) return fail(json);
  const auto good = JsonReader(*json).string("good");
  if (!good) return fail(good);
  const auto time = parse_rfc3339(*good);
  if (!time || *time > end_of_time) return fail(ErrorCode::corrupted, "it holds no time");
  return *time;
}

}  // namespace

WallTime build_day() {
  return WallTime(std::chrono::days(STARLING_BUILD_DAY));
}

bool clock_is_synchronised() {
  timex kernel{};
  return adjtimex(&kernel) != -1 && (kernel.status & STA_UNSYNC) == 0;
}

DeviceTime::DeviceTime(Disk& disk, const Clock& clock, WallTime built, Logger log)
    : disk_(disk), clock_(clock), log_(log), floor_(built), floor_at_(clock.steady()) {
  const auto good = read_good_time(disk);
  if (good) {
    floor_ = std::max(built, *good);
  } else if (good.error().code != ErrorCode::not_found) {
    log_.warning("the last good time is lost: " + good.error().message);
  }
}

Milliseconds DeviceTime::elapsed_since(SteadyTime then) const {
  return std::chrono::floor<Milliseconds>(clock_.steady() - then);
}

void DeviceTime::hub_said(WallTime time) {
  hub_ = Heard{time, clock_.steady()};
}

// Good clocks differ a little, so what is just before the floor is the floor.
std::optional<WallTime> DeviceTime::believed(WallTime time) const {
  if (time < floor() - agreement || time > end_of_time) return {};
  return std::max(time, floor());
}

std::optional<WallTime> DeviceTime::hub_time() const {
  if (!hub_ || hub_->time < WallTime() || hub_->time > end_of_time) return {};
  return believed(hub_->time + elapsed_since(hub_->at));
}

TimeReading DeviceTime::now() const {
  const auto wall = synchronised_ ? believed(clock_.wall()) : std::nullopt;
  if (wall) return {*wall, TimeReading::Source::ntp};
  if (const auto hub = hub_time()) return {*hub, TimeReading::Source::hub};
  return {floor(), TimeReading::Source::floor};
}

void DeviceTime::set_synchronised(bool synchronised) {
  synchronised_ = synchronised;
  if (kept_at_ && elapsed_since(*kept_at_) < keep_every) return;
  const TimeReading reading = now();
  const auto hub = hub_time();
  if (reading.source != TimeReading::Source::ntp || !hub) return;
  if (std::max(reading.time, *hub) - std::min(reading.time, *hub) <= agreement) keep(reading.time);
}

void DeviceTime::keep(WallTime good) {
  floor_ = good;
  floor_at_ = clock_.steady();
  kept_at_ = floor_at_;
  const auto written = replace_file(disk_, path, seal({{"good", to_rfc3339(good)}}), 0600);
  if (!written) log_.warning("the time could not be kept: " + written.error().message);
}

}  // namespace starling::agent
