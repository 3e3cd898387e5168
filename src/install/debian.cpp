#include "install/debian.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include "base/file_descriptor.hpp"
#include "base/files.hpp"

namespace starling::install {
namespace {

constexpr std::size_t max_told_bytes = 1000, max_logged_bytes = 4000;

// What comes first among the lines that say what is wrong, in plain ASCII.
std::string trouble_in(std::string_view text) {
  std::string told;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    at = end + 1;
    if (!line.starts_with("E: ") && !line.starts_with("dpkg: error")) continue;
    if (!told.empty()) told += "; ";
    told += line;
  }
  if (told.empty()) told = text.substr(text.size() - std::min(text.size(), max_told_bytes));
  std::ranges::replace_if(
      told, [](unsigned char c) { return c < ' ' || c > '~'; }, ' ');
  told.resize(std::min(told.size(), max_told_bytes));
  return told;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::unexpected<Error> strange(std::string_view line) {
  return fail(ErrorCode::malformed, fmt::format("'{}' was not expected", trouble_in(line)));
}

Result<Pin> pin_of(std::string_view line) {
  constexpr std::string_view ending = ".deb", algorithm = "SHA256:";
  const auto words = split(line.substr(std::min(line.find("' "), line.size() - 2) + 2), ' ');
  if (words.size() != 3 || !words[0].ends_with(ending) || !words[2].starts_with(algorithm))
    return strange(line);
  const auto names = split(words[0].substr(0, words[0].size() - ending.size()), '_');
  if (names.size() != 3) return strange(line);
  Pin pin{std::string(names[0]), std::string(names[1]), std::string(names[2]), {}, 0};
  if (const std::size_t epoch = pin.version.find("%3a"); epoch != std::string::npos)
    pin.version.replace(epoch, 3, ":");
  const auto hash = Digest::from_hex(words[2].substr(algorithm.size()));
  const auto [end, error] = std::from_chars(words[1].data(), words[1].data() + words[1].size(), pin.bytes);
  if (!hash || !*hash || error != std::errc() || end != words[1].data() + words[1].size())
    return strange(line);
  pin.hash = *hash;
  return pin;
}

// As dpkg finds it.
std::filesystem::path dpkg_folder() {
  if (const char* const folder = ::getenv("DPKG_ADMINDIR"); folder != nullptr) return folder;
  const char* const root = ::getenv("DPKG_ROOT");
  return (root == nullptr ? std::string() : std::string(root)) + "/var/lib/dpkg";
}

// As apt takes it: dpkg itself does not wait.
Result<FileDescriptor> lock_dpkg(Seconds patience) {
  const std::string path = dpkg_folder() / "lock-frontend";
  FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const SystemClock clock;
  const SteadyTime until = clock.steady() + patience;
  while (!file || ::fcntl(file.number(), F_SETLK, &lock) != 0) {
    if (!file || (errno != EACCES && errno != EAGAIN && errno != EINTR))
      return fail(ErrorCode::io, fmt::format("{}: {}", path, std::strerror(errno)));
    if (clock.steady() >= until)
      return fail(ErrorCode::unavailable, fmt::format("{} is held by another program", path));
    ::poll(nullptr, 0, 1'000);
  }
  return file;
}

bool is_locked_out(std::string_view errors) {
  return errors.find("Could not get lock") != std::string_view::npos ||
         errors.find("locked by another process") != std::string_view::npos;
}

}  // namespace

Result<std::vector<Pin>> parse_uris(std::string_view text) {
  std::vector<Pin> pins;
  for (const std::string_view line : split(text, '\n')) {
    if (!line.starts_with('\'')) continue;
    auto pin = pin_of(line);
    if (!pin) return fail(pin);
    pins.push_back(std::move(*pin));
  }
  return pins;
}

Result<std::vector<InstalledPackage>> parse_installed(std::string_view text) {
  std::vector<InstalledPackage> packages;
  for (const std::string_view line : split(text, '\n')) {
    if (line.empty()) continue;
    const auto fields = split(line, '\t');
    if (fields.size() != 4) return strange(line);
    if (fields[3] == "not-installed" || fields[3] == "config-files") continue;
    packages.push_back(
        {std::string(fields[0]), std::string(fields[1]), std::string(fields[2]), fields[3] == "installed"});
  }
  return packages;
}

Result<std::string> Debian::run(const Command& command) {
  const std::string& program = command.words.front();
  log_.info("runs", {{"command", fmt::format("{}", fmt::join(command.words, " "))}});
  auto ended = run_child(command);
  if (!ended) return fail(ended);
  if (ended->well) return std::move(ended->output);
  const std::string& errors = ended->errors;
  log_.warning("did not end well",
               {{"command", program},
                {"errors", errors.substr(errors.size() - std::min(errors.size(), max_logged_bytes))}});
  return fail(is_locked_out(errors) ? ErrorCode::unavailable : ErrorCode::failed_precondition,
              fmt::format("{}: {}", program, trouble_in(errors)));
}

// A file that was changed on the device stays.
Result<void> Debian::dpkg(const std::vector<std::string>& arguments) {
  const auto lock = lock_dpkg(patience_);
  if (!lock) return fail(lock);
  Command command{{"dpkg", "--force-confdef", "--force-confold"}, "/", {"DPKG_FRONTEND_LOCKED=true"}};
  command.words.insert(command.words.end(), arguments.begin(), arguments.end());
  const auto output = run(command);
  return output ? Result<void>() : fail(output);
}

// What is cached elsewhere does not count. A name is a name and no pattern, and brings nothing that is only
// recommended.
std::vector<std::string> Debian::apt_get(std::vector<std::string> arguments) const {
  std::vector<std::string> command{"apt-get", "-qq", "--yes", "--no-remove", "--no-install-recommends"};
  for (std::string option :
       {"Dir::Cache::archives=" + scratch_.string(), std::string("APT::Cmd::Pattern-Only=true"),
        std::string("Acquire::ForceHash=sha256"), fmt::format("DPkg::Lock::Timeout={}", patience_.count()),
        std::string("DPkg::Use-Pty=false"), std::string("DPkg::Options::=--force-confdef"),
        std::string("DPkg::Options::=--force-confold")}) {
    command.insert(command.end(), {"-o", std::move(option)});
  }
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

Result<void> Debian::clear_scratch() {
  std::error_code error;
  std::filesystem::remove_all(scratch_, error);
  if (error) return fail(ErrorCode::io, fmt::format("{}: {}", scratch_.string(), error.message()));
  if (auto made = make_folders(scratch_ / "partial"); !made) return made;
  // Where apt gives up its rights to download, it can write there. The inner one first: in what is its own it
  // can put a link in the place of anything.
  if (const passwd* apt = ::getpwnam("_apt"); apt != nullptr) {
    for (const auto& folder : {scratch_ / "partial", scratch_})
      (void)!::fchownat(AT_FDCWD, folder.c_str(), apt->pw_uid, static_cast<gid_t>(-1), AT_SYMLINK_NOFOLLOW);
  }
  return {};
}

Result<std::string> Debian::architecture() {
  const auto output = run({{"dpkg", "--print-architecture"}});
  return output ? output->substr(0, output->find('\n')) : Result<std::string>(fail(output));
}

Result<std::vector<Pin>> Debian::plan(const std::vector<std::string>& packages) {
  if (auto cleared = clear_scratch(); !cleared) return fail(cleared);
  auto command = apt_get({"--print-uris", "install", "--"});
  command.insert(command.end(), packages.begin(), packages.end());
  const auto output = run({std::move(command)});
  if (output) return parse_uris(*output);
  if (output.error().code != ErrorCode::failed_precondition) return fail(output);
  return fail(ErrorCode::invalid_argument, output.error().message);
}

Result<Pin> Debian::find(const InstalledPackage& package) {
  if (auto cleared = clear_scratch(); !cleared) return fail(cleared);
  const auto output =
      run({apt_get({"--print-uris", "download", "--",
                    fmt::format("{}:{}={}", package.name, package.architecture, package.version)})});
  if (!output) return fail(output);
  auto pins = parse_uris(*output);
  if (!pins) return fail(pins);
  if (pins->size() == 1 && pins->front().name == package.name && pins->front().version == package.version)
    return std::move(pins->front());
  return fail(ErrorCode::failed_precondition, "no archive has it");
}

Result<void> Debian::renew_lists() {
  const auto output = run({apt_get({"-o", "APT::Update::Error-Mode=any", "update"})});
  return output ? Result<void>() : fail(output);
}

Result<std::filesystem::path> Debian::download(const Pin& pin) {
  if (auto cleared = clear_scratch(); !cleared) return fail(cleared);
  const auto output =
      run({apt_get({"download", "--", fmt::format("{}:{}={}", pin.name, pin.architecture, pin.version)}),
           scratch_});
  if (!output) return fail(output);
  const auto there = list_folder(scratch_);
  if (!there) return fail(there);
  const auto file = std::ranges::find(*there, ".deb", [](const auto& path) { return path.extension(); });
  if (file != there->end()) return *file;
  return fail(ErrorCode::failed_precondition, fmt::format("apt-get has not fetched {}", pin.name));
}

Result<std::vector<InstalledPackage>> Debian::installed() {
  const auto output = run({{"dpkg-query", "--show",
                            "--showformat=${Package}\t${Version}\t${Architecture}\t${db:Status-Status}\n"}});
  return output ? parse_installed(*output) : Result<std::vector<InstalledPackage>>(fail(output));
}

Result<void> Debian::install(const std::vector<std::filesystem::path>& files) {
  if (auto cleared = clear_scratch(); !cleared) return cleared;  // which apt wants to be there
  // Without archives, so that nothing else can come.
  auto command = apt_get({"-o", "Dir::Etc::SourceList=/dev/null", "-o", "Dir::Etc::SourceParts=/dev/null",
                          "-o", "Dir::Cache::pkgcache=", "-o",
                          "Dir::Cache::srcpkgcache=", "--allow-downgrades", "install", "--"});
  command.insert(command.end(), files.begin(), files.end());
  const auto output = run({std::move(command)});
  return output ? Result<void>() : fail(output);
}

Result<void> Debian::install_over(const std::vector<std::filesystem::path>& files) {
  std::vector<std::string> arguments{"--install", "--"};
  arguments.insert(arguments.end(), files.begin(), files.end());
  return dpkg(arguments);
}

Result<void> Debian::remove(const std::vector<std::string>& names) {
  std::vector<std::string> arguments{"--force-remove-reinstreq", "--remove", "--"};
  arguments.insert(arguments.end(), names.begin(), names.end());
  return dpkg(arguments);
}

Result<void> Debian::repair() {
  return dpkg({"--configure", "-a"});
}

void Debian::drop_scratch() {
  std::error_code error;
  std::filesystem::remove_all(scratch_, error);
}

}  // namespace starling::install
