// Purpose: records, as long as it is told to: a tone stands in for the microphone.
// Owner: main(). Thread: one. Lifetime: the process's; the clock outlives it.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "module/module.hpp"
#include "wav_file.hpp"

namespace recorder {

class Recorder {
 public:
  Recorder(std::filesystem::path folder, const starling::Clock& clock)
      : folder_(std::move(folder)), clock_(clock) {}

  bool recording() const { return state_ == State::recording; }
  // What has been heard since the last call goes to the file. If it cannot be written, the recording ends.
  starling::Result<void> advance();
  starling::Result<void> finish();
  starling::Result<void> report(starling::module::Module& agent) const;
  std::map<std::string, starling::module::Action, std::less<>> actions();

 private:
  enum class State { idle, recording, paused };
  starling::Result<void> start();
  starling::Result<void> pause();
  starling::Result<void> stop();
  starling::module::Action action(starling::Result<void> (Recorder::*done)());
  starling::Result<void> hear();

  std::filesystem::path folder_;
  const starling::Clock& clock_;
  State state_ = State::idle;
  std::optional<WavFile> file_;  // while recording or paused; afterwards the one that was finished last
  starling::SteadyTime heard_until_{};
  std::uint32_t synced_samples_ = 0;
  std::string trouble_;  // why the last recording ended by itself
};

}  // namespace recorder
