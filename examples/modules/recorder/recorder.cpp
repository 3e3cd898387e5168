#include "recorder.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <vector>

#include "base/files.hpp"

namespace recorder {

using starling::ErrorCode;
using starling::fail;
using starling::JsonObject;
using starling::Result;
using starling::module::Module;

namespace {

constexpr std::uint32_t tone_hz = 440;
constexpr std::chrono::nanoseconds sample_time{1'000'000'000 / WavFile::rate};

std::vector<std::int16_t> tone(std::uint32_t first, std::uint32_t count) {
  std::vector<std::int16_t> samples(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const double turns = static_cast<double>((first + i) % WavFile::rate) * tone_hz / WavFile::rate;
    samples[i] = static_cast<std::int16_t>(3'000 * std::sin(2 * std::numbers::pi * turns));
  }
  return samples;
}

void say(const char* what, const WavFile& file) {
  std::printf("recorder: %s %s (%.1f s)\n", what, file.path().c_str(), file.seconds());
  std::fflush(stdout);  // a pipe is buffered otherwise
}

}  // namespace

std::map<std::string, starling::module::Action, std::less<>> Recorder::actions() {
  return {{"start", action(&Recorder::start)},
          {"pause", action(&Recorder::pause)},
          {"stop", action(&Recorder::stop)}};
}

starling::module::Action Recorder::action(Result<void> (Recorder::*done)()) {
  return [this, done](Module& agent, const JsonObject&) -> Result<JsonObject> {
    const Result<void> result = (this->*done)();
    if (auto reported = report(agent); !reported) return fail(reported);
    if (!result) return fail(result);
    JsonObject answer;
    answer["file"] = file_->path().string();
    answer["seconds"] = file_->seconds();
    return answer;
  };
}

Result<void> Recorder::start() {
  if (recording()) return fail(ErrorCode::failed_precondition, "it is recording already");
  if (state_ == State::idle) {
    if (auto made = starling::make_folders(folder_); !made) return made;
    std::string name = starling::to_rfc3339(clock_.wall());
    std::erase_if(name, [](char c) { return c == '-' || c == ':'; });
    auto file = WavFile::create(folder_ / (name + ".wav"));
    if (!file) return fail(file);
    file_ = std::move(*file);
    synced_samples_ = 0;
    trouble_.clear();
  }
  state_ = State::recording;
  heard_until_ = clock_.steady();
  say("recording", *file_);
  return {};
}

Result<void> Recorder::pause() {
  if (!recording()) return fail(ErrorCode::failed_precondition, "it is not recording");
  if (auto heard = advance(); !heard) return heard;
  state_ = State::paused;
  say("paused", *file_);
  return file_->sync();
}

Result<void> Recorder::stop() {
  if (state_ == State::idle) return fail(ErrorCode::failed_precondition, "nothing is being recorded");
  return finish();
}

Result<void> Recorder::finish() {
  if (state_ == State::idle) return {};
  if (auto heard = advance(); !heard) return heard;
  state_ = State::idle;
  say("finished", *file_);
  return file_->sync();
}

Result<void> Recorder::advance() {
  if (!recording()) return {};
  Result<void> heard = hear();
  if (!heard) {
    state_ = State::idle;
    trouble_ = heard.error().message;
  }
  return heard;
}

Result<void> Recorder::hear() {
  const starling::SteadyTime now = clock_.steady();
  // A process that was stopped has heard nothing meanwhile.
  heard_until_ = std::max(heard_until_, now - starling::Seconds(1));
  const auto count = static_cast<std::uint32_t>((now - heard_until_) / sample_time);
  heard_until_ += count * sample_time;
  if (auto written = file_->append(tone(file_->samples(), count)); !written) return written;
  if (file_->samples() - synced_samples_ < WavFile::rate) return {};
  synced_samples_ = file_->samples();
  return file_->sync();
}

Result<void> Recorder::report(Module& agent) const {
  switch (state_) {
    case State::idle: return agent.report_state("idle", trouble_);
    case State::paused: return agent.report_state("idle", "paused: " + file_->path().string());
    case State::recording: return agent.report_state("recording", file_->path().string());
  }
  return {};
}

}  // namespace recorder
