#include "cli/device_view.hpp"

#include <gmock/gmock.h>

#include "base/rfc3339.hpp"

namespace starling::cli {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

const WallTime now(Milliseconds(1'795'843'320'000));

std::string shown(std::string_view reported) {
  const JsonObject device{{"device_name", "bear"}, {"reported", parse_json(reported).value()}};
  return device_facts(device, now, Terminal{});
}

TEST(DeviceView, WhoIsThereIsSeenNow) {
  const auto seen = [](const char* status, Milliseconds before) {
    const JsonObject device{
        {"device_name", "bear"}, {"status", status}, {"last_seen", to_rfc3339(now - before)}};
    const std::string listed = device_table({device}, now, Terminal{});
    const std::string text = device_facts(device, now, Terminal{});
    EXPECT_EQ(listed.find("  now  ") != std::string::npos, text.find(" (now)\n") != std::string::npos);
    return text;
  };
  EXPECT_THAT(seen("online", Seconds(21)), HasSubstr("(now)"));
  EXPECT_THAT(seen("offline", Seconds(21)), HasSubstr("(21 s ago)"));
  EXPECT_THAT(seen("online", Seconds(180)), HasSubstr("(3 m ago)")) << "it has no link";
}

TEST(DeviceView, DriftSaysWhatDriftsAndWhy) {
  const std::string text = shown(
      R"({"drift":[{"kind":"corruption","message":"generations/2 cannot be read","at_ms":1795843200000},
                   {"kind":"failed_apply","message":"no \u001bdisk"}],
          "put_right":[{"kind":"local_edit","message":"config_override.json was edited by hand",
                        "at_ms":1795843319000}]})");
  EXPECT_THAT(text, ContainsRegex("\ndrift +generations/2 cannot be read .2 m ago.\n"));
  EXPECT_THAT(text, ContainsRegex("\ndrift +no .x1bdisk\n"));
  EXPECT_THAT(text, ContainsRegex("\nput right +config_override.json was edited by hand .just now.\n"));
  EXPECT_THAT(text, Not(HasSubstr("at_ms")));
}

TEST(DeviceView, DriftOfAnotherFormIsShownAsItIs) {
  EXPECT_THAT(shown(R"({"drift":"a newer agent's word"})"), ContainsRegex("\ndrift +a newer agent's word\n"));
  EXPECT_THAT(shown(R"({"drift":["local_edit"]})"), ContainsRegex("\ndrift +local_edit\n"));
}

TEST(DeviceView, EachSectionSaysHowItStands) {
  JsonObject device = parse_json(R"({"device_name":"bear","problems":["module ear is crashed"],
      "sync":{"status":"pending","settings_status":"in_sync","desired_revision":7,"running_revision":5,
              "desired_hash":"aa","running_hash":"aa",
              "modules":{"status":"pending","desired_revision":13,"running_revision":12,
                         "desired_hash":"cc","running_hash":"bb"}}})")
                          ->as_object();
  const std::string text = device_facts(device, now, Terminal{});
  EXPECT_THAT(text, ContainsRegex("\nsync +pending\nproblem +module ear is crashed\n"));
  EXPECT_THAT(text, ContainsRegex("\nsync of settings +in_sync, revision 7\n"));
  EXPECT_THAT(text, ContainsRegex("\nsync of modules +pending, revision 12 → 13\n"));
  EXPECT_THAT(text, Not(HasSubstr("sync of software")));
  device["sync"] = JsonObject{{"status", "pending"}, {"desired_revision", 1}, {"desired_hash", "aa"}};
  EXPECT_THAT(device_facts(device, now, Terminal{}),
              ContainsRegex("\nsync of settings +pending, revision none → 1\n"));
}

TEST(DeviceView, AReleaseThatFailedAndIsNotWantedAnyMoreIsSeenInTheList) {
  Json device = parse_json(R"({"device_name":"bear","release":{"desired":null,"running":"v1.0.0"},
      "reported":{"software":{"last_failed":{"release":"v1.1.0","became":"reverted"}}}})")
                    .value();
  EXPECT_THAT(device_table({device}, now, Terminal{}), HasSubstr(" v1.0.0 (v1.1.0 reverted) "));
  device.at("release").as_object()["desired"] = "v1.1.0";
  EXPECT_THAT(device_table({device}, now, Terminal{}), HasSubstr(" v1.0.0 → v1.1.0  "));
}

TEST(DeviceView, ReleasesAreToldInWords) {
  const std::string text = shown(
      R"({"software":{"state":"waiting","release":"v1.0.0","confirmed":"v1.0.0","wanted":"v1.2.0",
          "waits_for":"modules that get up",
          "last_failed":{"release":"v1.1.0","became":"reverted","fingerprint":"modules",
                         "message":"module 'ear' died 3 times","at_ms":1795843200000}}})");
  EXPECT_THAT(text, ContainsRegex("\nsoftware +runs v1.0.0; v1.2.0 is waiting for modules that get up\n"));
  EXPECT_THAT(text,
              ContainsRegex("\nlast failed +v1.1.0 was reverted: module 'ear' died 3 times .2 m ago.\n"));
  EXPECT_THAT(text, Not(HasSubstr("{")));
  EXPECT_THAT(shown(R"({"software":{"state":"refused","release":null,"wanted":"v2.0.0","failure":
      {"fingerprint":"disk-full","message":"8 MiB are missing","at_ms":1795843200000}}})"),
              ContainsRegex("\nsoftware +runs no release; v2.0.0 is refused: 8 MiB are missing\n"));
  EXPECT_THAT(shown(R"({"software":{"state":"confirmed","release":"v1.0.0"}})"), HasSubstr("runs v1.0.0"));
  EXPECT_THAT(shown(R"({"software":{"state":"reverted","packages":{"state":"packages-mixed",
      "message":"dpkg: error","without_way_back":["ear=1.0"]}}})"),
              ContainsRegex("\npackages +packages-mixed: dpkg: error; there is no way back to ear=1.0\n"));
  EXPECT_THAT(shown(R"({"software":"another form"})"), ContainsRegex("\nreported software +another form\n"));
}

TEST(DeviceView, WhyAReleaseIsNotThereIsSaidOnce) {
  const JsonObject device =
      parse_json(
          R"({"device_name":"bear","problems":["release v2.0.0 is refused: python ended with 1: ERROR"],
      "sync":{"status":"refused","software":{"status":"refused","errors":[
          {"key":"software.release","message":"python ended with 1: ERROR"},{"key":"","message":"too large"}]}},
      "reported":{"software":{"state":"refused","release":"v1.0.0","wanted":"v2.0.0",
          "failure":{"message":"python ended with 1: ERROR","at_ms":1795843200000},
          "last_failed":{"release":"v2.0.0","became":"refused","message":"python ended with 1: ERROR",
                         "at_ms":1795843200000}}}})")
          ->as_object();
  const std::string text = device_facts(device, now, Terminal{});
  EXPECT_EQ(text.find("ERROR"), text.rfind("ERROR")) << text;
  EXPECT_THAT(text, ContainsRegex("\nproblem +release v2.0.0 is refused: python ended with 1: ERROR\n"));
  EXPECT_THAT(text, ContainsRegex("\nsoftware +runs v1.0.0; v2.0.0 is refused\n"));
  EXPECT_THAT(text, Not(HasSubstr("last failed")));
  EXPECT_THAT(text, HasSubstr("too large")) << "no problem tells that";
}

TEST(DeviceView, BoardAndAlertsAreSaidInWords) {
  const std::string text = shown(
      R"({"board":{"temperature_c":81.5,"memory_available_kb":209715,"memory_total_kb":419430,
                   "disk_free_kb":3250585,"disk_total_kb":15204352,"alerts":["hot","disk_low"],
                   "was_under_voltage":true},
          "alerts":[{"kind":"crash_loop","modules":["ear"],"text":"module 'ear' fails again and again",
                     "at_ms":1795843200000}]})");
  EXPECT_THAT(text, HasSubstr("81.5 °C, 0.2 of 0.4 GB of memory and 3.1 of 14.5 GB of disk are free\n"));
  EXPECT_THAT(text, ContainsRegex("\nboard alerts +hot, disk_low\n"));
  EXPECT_THAT(text, HasSubstr("its supply was too weak since it booted\n"));
  EXPECT_THAT(text, ContainsRegex("\nalert +module 'ear' fails again and again .2 m ago.\n"));
  EXPECT_THAT(shown(R"({"board":{"memory_available_kb":209715,"memory_total_kb":419430,
                                 "disk_free_kb":12300,"disk_total_kb":64512}})"),
              HasSubstr("0.2 of 0.4 GB of memory and 12 of 63 MB of disk are free\n"));
  EXPECT_THAT(shown(R"({"board":"fine"})"), ContainsRegex("\nreported board +fine\n"));
}

}  // namespace
}  // namespace starling::cli
