#include "agent/supervisor/folders/manifest_file.hpp"

#include <gtest/gtest.h>

#include <csignal>

#include "agent/supervisor/folders/manifest_values.hpp"

namespace starling::agent {
namespace {

Result<Account> voice_only(std::string_view user) {
  if (user == "voice") return Account{"voice", 1001, 1002, {29, 1002}, "/home/voice"};
  return fail(ErrorCode::not_found, "there is no user '" + std::string(user) + "' on this device");
}

Result<ModuleManifest> parsed(std::string_view text) {
  return parse_manifest(text, "recorder", "/modules/recorder", voice_only);
}

TEST(Manifest, ReadsEveryField) {
  const auto manifest = parsed(R"(
exec = "bin/recorder"
args = ["--rate", "48000"]
cwd = "data"
env = { LANG = "C", HOME = "/tmp" }
readiness = "notify"
start_timeout = "1min"
stop_timeout = "500ms"
stop_signal = "SIGINT"
watchdog = "5s"
retry = "on-failure"
after = ["network"]
requires = ["audio-server"]
uses = ["hotword", "audio.volume"]
on_change = "signal"
signal = "SIGUSR1"
prepare_timeout = "3s"
data = ["recordings"]

[[render]]
template = "recorder.conf.in"
file = "/run/recorder.conf"

[limits]
memory = "64MiB"
cpu = "150%"
files = 256
nice = 5
core = "0"
user = "voice"
)");
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(manifest->name, "recorder");
  EXPECT_EQ(manifest->exec, "/modules/recorder/bin/recorder");
  EXPECT_EQ(manifest->args, (std::vector<std::string>{"--rate", "48000"}));
  EXPECT_EQ(manifest->working_folder, "/modules/recorder/data");
  ASSERT_EQ(manifest->environment.size(), 2u);
  EXPECT_EQ(manifest->environment[1], (std::pair<std::string, std::string>("LANG", "C")));
  EXPECT_EQ(manifest->readiness, Readiness::notify);
  EXPECT_EQ(manifest->start_timeout, Milliseconds(60'000));
  EXPECT_EQ(manifest->stop_timeout, Milliseconds(500));
  EXPECT_EQ(manifest->stop_signal, SIGINT);
  EXPECT_EQ(manifest->watchdog, Milliseconds(5'000));
  EXPECT_EQ(manifest->retry, Retry::on_failure);
  EXPECT_EQ(manifest->after, std::vector<std::string>{"network"});
  EXPECT_EQ(manifest->requirements, std::vector<std::string>{"audio-server"});
  EXPECT_EQ(manifest->uses, (std::vector<std::string>{"hotword", "audio.volume"}));
  EXPECT_EQ(manifest->on_change, OnChange::signal);
  EXPECT_EQ(manifest->change_signal, SIGUSR1);
  EXPECT_EQ(manifest->prepare_timeout, Milliseconds(3'000));
  EXPECT_EQ(manifest->data, std::vector<std::string>{"recordings"});
  ASSERT_EQ(manifest->render.size(), 1u);
  EXPECT_EQ(manifest->render[0].template_path, "/modules/recorder/recorder.conf.in");
  EXPECT_EQ(manifest->render[0].path, "/run/recorder.conf");
  EXPECT_EQ(manifest->limits.memory_bytes, 64u << 20);
  EXPECT_EQ(manifest->limits.cpu_percent, 150u);
  EXPECT_EQ(manifest->limits.files, 256u);
  EXPECT_EQ(manifest->limits.nice, 5);
  EXPECT_EQ(manifest->limits.core_bytes, 0u);
  ASSERT_TRUE(manifest->account);
  EXPECT_EQ(manifest->account->uid, 1001u);
}

TEST(Manifest, TextWithinQuotesMayBeAnything) {
  const auto manifest = parsed(
      "\xef\xbb\xbf"
      "exec = 'x' # \xc3\xbc\nargs = [\"gr\xc3\xbc\xc3\x9f\\\"#\", \"\"\"\xe2\x99\xab\"\"\"]");
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(manifest->args[0], "gr\xc3\xbc\xc3\x9f\"#");
  EXPECT_EQ(manifest->args[1], "\xe2\x99\xab");
}

TEST(Manifest, OneLineIsEnough) {
  const auto manifest = parsed("exec = '/usr/sbin/mosquitto'");
  ASSERT_TRUE(manifest);
  EXPECT_EQ(manifest->exec, "/usr/sbin/mosquitto");
  EXPECT_EQ(manifest->working_folder, "/modules/recorder");
  EXPECT_EQ(manifest->readiness, Readiness::exec);
  EXPECT_FALSE(manifest->account);
}

struct Broken {
  std::string_view text, line_and_field, what;
};

void expect_refused(const Broken& c) {
  const auto manifest = parsed(c.text);
  ASSERT_FALSE(manifest) << c.text;
  const std::string& message = manifest.error().message;
  EXPECT_TRUE(message.starts_with("recorder/module.toml" + std::string(c.line_and_field))) << message;
  EXPECT_NE(message.find(c.what), std::string::npos) << message;
}

// Each is put below a good line, so that its own line is 2.
TEST(Manifest, EveryFieldThatIsBrokenIsNamedWithItsLine) {
  const Broken cases[] = {
      {"args = 'x'", ":2: args: ", "must be an array of strings"},
      {"args = ['a', 1]", ":2: args: ", "must be a string"},
      {"args = [\"a\\u0000\"]", ":2: args: ", "zero byte"},
      {"cwd = 1", ":2: cwd: ", "must be a string"},
      {"cwd = ''", ":2: cwd: ", "must not be empty"},
      {"env = 1", ":2: env: ", "must be a table"},
      {"env = { A = 1 }", ":2: env: ", "must be a string"},
      {"env = { 'A=B' = '' }", ":2: env: ", "'A=B' cannot be a variable's name"},
      {"env = { NOTIFY_SOCKET = '' }", ":2: env: ", "set by the agent itself"},
      {"env = { STARLING_MODULE = '' }", ":2: env: ", "set by the agent itself"},
      {"readiness = 'notfy'", ":2: readiness: ", "did you mean notify?"},
      {"readiness = 'forking'", ":2: readiness: ", "not supported: start the program in the foreground"},
      {"readiness = true", ":2: readiness: ", "must be a string"},
      {"ready_after = 1", ":2: ready_after: ", "must be a string"},
      {"ready_after = '1 s'", ":2: ready_after: ", "'1 s' is not a duration such as"},
      {"ready_after = '31s'", ":2: ready_after: ", "longer than start_timeout"},
      {"start_timeout = '301s'", ":2: start_timeout: ", "must be from 1 ms to 300 s"},
      {"start_timeout = '0'", ":2: start_timeout: ", "must be from 1 ms to 300 s"},
      {"start_timeout = '-1s'", ":2: start_timeout: ", "is not a duration"},
      {"start_timeout = '99999999999999999999s'", ":2: start_timeout: ", "is not a duration"},
      {"stop_timeout = 'soon'", ":2: stop_timeout: ", "is not a duration"},
      {"stop_signal = 'TERM'", ":2: stop_signal: ", "did you mean SIGTERM?"},
      {"stop_signal = 15", ":2: stop_signal: ", "must be a string"},
      {"watchdog = '2s'", ":2: watchdog: ", "needs readiness = \"notify\""},
      {"watchdog = []", ":2: watchdog: ", "must be a string"},
      {"retry = 'on_failure'", ":2: retry: ", "did you mean on-failure?"},
      {"after = ['../x']", ":2: after: ", "'../x' cannot be a module's name"},
      {"after = ['recorder']", ":2: after: ", "cannot wait for itself"},
      {"requires = 'audio'", ":2: requires: ", "must be an array"},
      {"uses = ['a/b']", ":2: uses: ", "'a/b' is neither a component"},
      {"uses = ['.volume']", ":2: uses: ", "neither a component"},
      {"on_change = 'ignore'", ":2: on_change: ", "none of \"notify\", \"signal\", \"restart\""},
      {"signal = 'SIGHUP'", ":2: signal: ", "only with on_change = \"signal\""},
      {"signal = 'SIGFOO'", ":2: signal: ", "is not a signal"},
      {"prepare_timeout = '11s'", ":2: prepare_timeout: ", "must be from 1 ms to 10 s"},
      {"data = ['../x']", ":2: data: ", "'../x' must be the name of"},
      {"data = ['config.txt']", ":2: data: ", "must be the name of"},
      {"render = {}", ":2: render: ", "must be an array of tables"},
      {"render = [1]", ":2: render: ", "must be a table"},
      {"render = [{ file = 'x' }]", ":2: render: ", "template is missing"},
      {"render = [{ template = 'x' }]", ":2: render: ", "file is missing"},
      {"render = [{ template = 'x', file = './x' }]", ":2: render: ", "would overwrite"},
      {"render = [{ template = 'x', file = 'module.toml' }]", ":2: render: ", "would overwrite"},
      {"render = [{ template = 'x', file = 'y/../config.txt' }]", ":2: render: ", "would overwrite"},
      {"render = [{ templat = 'x' }]", ":2: render.templat: ", "did you mean template?"},
      {"limits = 5", ":2: limits: ", "must be a table"},
      {"limits.memory = '64MB'", ":2: limits.memory: ", "'64MB' is not a size such as"},
      {"limits.memory = '1KiB'", ":2: limits.memory: ", "at least 256KiB"},
      {"limits.memory = 64", ":2: limits.memory: ", "must be a string"},
      {"limits.cpu = '50'", ":2: limits.cpu: ", "is not a share of one core"},
      {"limits.cpu = '0%'", ":2: limits.cpu: ", "is not a share of one core"},
      {"limits.files = '9'", ":2: limits.files: ", "must be a whole number from 8"},
      {"limits.files = 1", ":2: limits.files: ", "must be a whole number from 8"},
      {"limits.nice = 20", ":2: limits.nice: ", "from -20 to 19"},
      {"limits.nice = 1.5", ":2: limits.nice: ", "whole number"},
      {"limits.core = 'big'", ":2: limits.core: ", "is not a size"},
      {"limits.user = 'nobdy'", ":2: limits.user: ", "there is no user 'nobdy' on this device"},
      {"limits.memroy = '1MiB'", ":2: limits.memroy: ", "did you mean memory?"},
      {"restart = 'always'", ":2: restart: ", "no field is called so"},
      {"exce = 'x'", ":2: exce: ", "no field is called so; did you mean exec?"},
      {"exec = 'again'", ":2: ", ""},
      {"args = [", ":2", ""},
      {"= 1", ":2: ", ""},
      {"a = \"\xff\"", ": ", "this is not UTF-8 text"},
      {"a = \xc3\xbc", ":2: ", "allowed only in"},
      {"\xc3\xbc = 1", ":2: ", "allowed only in"},
      {"args = ['\xc3\xbc']", ":2: ", "but not in 'strings'"},
      {"a = \"\\\xc3\xbc\"", ":2: ", "cannot follow a backslash"},
      {"cwd = \"x\nargs = []", ":2: ", "has no closing \" on its line"},
      {"args = ['''\n''', \"#\"] # \xc3\xbc\nx", ":4: ", ""},
      {"[[[[[[{{{{", ":2: ", ""},
  };
  for (const Broken& c : cases) {
    const std::string text = "exec = 'bin/recorder'\n" + std::string(c.text);
    expect_refused({text, c.line_and_field, c.what});
  }
}

TEST(Manifest, TextWithoutQuotesIsToldToBePutIntoThem) {
  const Broken cases[] = {
      {"exec = /usr/bin/sleep", ":1: exec: ", "text has to be in quotes: exec = \"/usr/bin/sleep\""},
      {"exec=bin/recorder # mine", ":1: exec: ", "in quotes: exec = \"bin/recorder\""},
      {"exec = recorder", ":1: exec: ", "in quotes: exec = \"recorder\""},
      {"exec = ~/recorder", ":1: exec: ", "in quotes"},
      {"exec = /bin/sh -c \"x\"", ":1: exec: ", "text has to be in quotes"},
      {"exec = 'x'\nreadiness = notify", ":2: readiness: ", "in quotes: readiness = \"notify\""},
      {"exec = 'x'\nstart_timeout = 30s", ":2: start_timeout: ", "in quotes: start_timeout = \"30s\""},
      {"exec = 'x'\nstart_timeout = 30", ":2: start_timeout: ", "must be a string: put it in quotes"},
      {"exec = true", ":1: exec: ", "put it in quotes"},
      {"exec = 'x'\n[limits]\nmemory = 64MiB", ":3: limits.memory: ", "in quotes: memory = \"64MiB\""},
      {"exec = 'x'\nlimits.cpu = 50%", ":2: limits.cpu: ", "in quotes: limits.cpu = \"50%\""},
      {"exec = 'x'\nargs = [-c, 'x']", ":2: args: ", "text has to be in quotes, as in [\"one\", \"two\"]"},
      {"exec = 'x'\nargs = [\n  'a',\n  b,\n]", ":4: args: ", "text has to be in quotes"},
      {"exec = 'x'\nlimits.nice = 05", ":2: limits.nice: ", ""},
      {"exec =", ":1: exec: ", ""},
      {"exec /bin/sleep", ":1: ", ""},
  };
  for (const Broken& c : cases)
    expect_refused(c);
}

TEST(Manifest, ExecIsNeeded) {
  expect_refused({"", ": exec: ", "is missing: the program to run"});
  expect_refused({"exec = 7", ":1: exec: ", "must be a string"});
  expect_refused({"exec = ''", ":1: exec: ", "must not be empty"});
  EXPECT_EQ(parsed("").error().field, "/exec");
  EXPECT_EQ(parsed("limits.nice = 99").error().field, "/limits/nice");
}

TEST(Manifest, HugeOnesAreRefusedUnread) {
  const std::string line = "exec = 'x'\n";
  const std::string cases[] = {
      line + "#" + std::string(max_manifest_bytes, 'x'),
      line + "a" +
          [] {
            std::string dots;
            for (int i = 0; i < 10'000; ++i)
              dots += ".a";
            return dots;
          }() +
          " = 1",
      line + "args = " + std::string(10'000, '['),
  };
  for (const std::string& text : cases)
    EXPECT_EQ(parsed(text).error().code, ErrorCode::too_large);
  std::string many = line + "args = [";
  for (int i = 0; i < 200; ++i)
    many += "'x',";
  expect_refused({many + "]", ":2: args: ", "has more than 128 entries"});
}

TEST(Manifest, FindsAccountsOfTheMachine) {
  const auto root = system_account("root");
  ASSERT_TRUE(root);
  EXPECT_EQ(root->uid, 0u);
  EXPECT_EQ(root->home, "/root");
  EXPECT_EQ(system_account("no-such-user-here").error().code, ErrorCode::not_found);
}

TEST(ManifestValues, ReadWithTheirUnits) {
  EXPECT_EQ(parse_duration("0"), Milliseconds(0));
  EXPECT_EQ(parse_duration("250ms"), Milliseconds(250));
  EXPECT_EQ(parse_duration("2h"), Milliseconds(7'200'000));
  EXPECT_EQ(parse_byte_size("3GiB"), std::uint64_t{3} << 30);
  EXPECT_EQ(parse_byte_size("1B"), 1u);
  for (const auto* text : {"", "s", "1", "1m", "1 s", "-1s", "1.5s", "0x1s", "9223372036854775807h"})
    EXPECT_FALSE(parse_duration(text)) << text;
  for (const auto* text : {"", "1", "1MB", "20000000000GiB"})
    EXPECT_FALSE(parse_byte_size(text)) << text;
  EXPECT_EQ(signal_name(SIGSEGV), "SIGSEGV");
  EXPECT_EQ(signal_meaning(SIGSEGV), "segmentation fault");
  EXPECT_EQ(signal_name(63), "");
}

}  // namespace
}  // namespace starling::agent
