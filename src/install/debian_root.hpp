// Purpose: a Debian of a test's own: an empty root with its dpkg database, an archive that apt is pointed to,
// and packages that are built on the spot, by the real tools. Owner: a test. Thread: one. Lifetime: a test.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <ostream>
#include <set>
#include <string>

#include "base/file_descriptor.hpp"
#include "base/files.hpp"
#include "base/temporary_folder.hpp"
#include "install/child.hpp"
#include "install/installer.hpp"

namespace starling::protocol {

inline void PrintTo(PackageOutcome outcome, std::ostream* out) {
  *out << to_string(outcome);
}

}  // namespace starling::protocol

namespace starling::install {

struct TestPackage {
  std::string name, version;
  std::string more;  // fields, a line each
  std::string architecture = "all";
};

class DebianRoot {
 public:
  DebianRoot() {
    for (const std::string folder :
         {"root/var/lib/dpkg/info", "root/var/lib/dpkg/updates", "root/var/lib/apt/lists/partial",
          "root/var/cache/apt", "root/var/log/apt", "root/etc/apt/apt.conf.d", "root/etc/apt/preferences.d",
          "root/etc/apt/trusted.gpg.d", "root/tmp", "archive", "kept"})
      std::filesystem::create_directories(at(folder));
    write("root/var/lib/dpkg/status", "");
    write("root/etc/apt/sources.list", "deb [trusted=yes] file:" + at("archive") + " ./\n");
    write("apt.conf", "Dir \"" + at("root") + "\";\nDir::State::status \"" + at("root/var/lib/dpkg/status") +
                          "\";\nDir::Bin::dpkg \"/usr/bin/dpkg\";\n");
    ::setenv("APT_CONFIG", at("apt.conf").c_str(), 1);
    ::setenv("DPKG_ROOT", at("root").c_str(), 1);
    ::setenv("DPKG_FORCE", "not-root,bad-path,script-chrootless,downgrade,unsafe-io", 1);
  }
  ~DebianRoot() {
    for (const char* name : {"APT_CONFIG", "DPKG_ROOT", "DPKG_FORCE"})
      ::unsetenv(name);
  }
  DebianRoot(const DebianRoot&) = delete;
  DebianRoot& operator=(const DebianRoot&) = delete;

  std::string at(const std::string& path) const { return (folder_ / path).string(); }
  void write(const std::string& path, const std::string& content) const {
    std::ofstream(at(path), std::ios::binary) << content;
  }

  // ---- the archive
  void publish(const TestPackage& package) {
    build(package);
    list();
  }
  void withdraw(const std::string& name, const std::string& version) {
    std::filesystem::remove(file(name, version));
    list();
  }
  std::string file(const std::string& name, const std::string& version) const {
    return at("archive/" + name + "_" + version + "_all.deb");
  }

  // ---- the system
  void install(const std::string& name, const std::string& version, bool well = true) {
    run({"dpkg", "--force-depends", "--install", file(name, version)}, well);
  }
  void allow_architecture(const std::string& name) { run({"dpkg", "--add-architecture", name}); }
  void renew_lists() { run({"apt-get", "-qq", "update"}); }
  // NAME=VERSION, or NAME:ARCHITECTURE=VERSION, with ! behind what is not whole.
  std::set<std::string> installed() {
    Debian debian(at("kept/scratch"), Logger());
    std::set<std::string> all;
    const auto installed = debian.installed().value();
    for (const InstalledPackage& one : installed)
      all.insert(one.name + (one.architecture == "all" ? "" : ":" + one.architecture) + "=" + one.version +
                 (one.whole ? "" : "!"));
    return all;
  }
  // As apt holds it, until it is closed.
  FileDescriptor lock() const {
    FileDescriptor file(
        ::open(at("root/var/lib/dpkg/lock-frontend").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
    struct flock whole {};
    whole.l_type = F_WRLCK;
    EXPECT_EQ(::fcntl(file.number(), F_SETLK, &whole), 0);
    return file;
  }
  // Maintainer scripts, as ear-1.0.postinst, that end badly, or take all processes with them.
  void failing(const std::string& scripts) const { write("failing", scripts); }
  void deadly(const std::string& scripts) const { write("deadly", scripts); }

  // ---- starling-install
  ManualClock clock;
  Seconds patience{600};
  protocol::PackageAnswer ask(const protocol::PackageRequest& request) {
    EXPECT_TRUE(survives(request));
    return protocol::parse_package_answer(read_file(at("kept/answer.json"), 1u << 20).value()).value();
  }
  // In a process of its own, so that it can be killed; says whether it lived, when nothing of it does.
  bool survives(const protocol::PackageRequest& request) {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    const pid_t child = ::fork();
    if (child == 0) {
      write("victim", std::to_string(::getpid()));
      ::_exit(carry_out(request) ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    while (::waitpid(-1, nullptr, 0) > 0) {
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

 private:
  Result<void> carry_out(const protocol::PackageRequest& request) {
    Debian debian(at("kept/scratch"), Logger(), patience);
    return Installer(at("kept"), debian, clock, Logger()).carry_out(text_of(request));
  }
  static std::string run(const std::vector<std::string>& command, bool well = true) {
    const auto ended = run_child({command});
    EXPECT_TRUE(ended && ended->well == well)
        << command[0] << ": " << (ended ? ended->errors : ended.error().message);
    return ended ? ended->output : "";
  }
  void build(const TestPackage& package) const {
    const std::string tree = "tree/" + package.name;
    std::filesystem::remove_all(at("tree"));
    std::filesystem::create_directories(at(tree + "/DEBIAN"));
    std::filesystem::create_directories(at(tree + "/usr/share/" + package.name));
    write(tree + "/usr/share/" + package.name + "/version", package.version);
    write(tree + "/DEBIAN/control", "Package: " + package.name + "\nVersion: " + package.version +
                                        "\nArchitecture: " + package.architecture +
                                        "\nMaintainer: A <a@example.org>\n" + package.more +
                                        "Description: of a test\n");
    for (const std::string script : {"preinst", "postinst", "prerm", "postrm"}) {
      const std::string here = package.name + "-" + package.version + "." + script + " ";
      write(tree + "/DEBIAN/" + script, "#!/bin/sh\ngrep -qsxF " + here + at("deadly") +
                                            " && kill -9 $(cat " + at("victim") + ") 0\ngrep -qsxF " + here +
                                            at("failing") + " && exit 1\nexit 0\n");
      std::filesystem::permissions(at(tree + "/DEBIAN/" + script), std::filesystem::perms(0755));
    }
    run({"dpkg-deb", "-Znone", "--root-owner-group", "--build", at(tree),
         file(package.name, package.version)});
  }
  void list() const {
    std::string packages;
    const auto files = list_folder(at("archive")).value();
    for (const auto& path : files) {
      if (path.extension() != ".deb") continue;
      const std::string content = read_file(path, 1u << 20).value();
      packages += run({"dpkg-deb", "--field", path.string()}) + "Filename: ./" + path.filename().string() +
                  "\nSize: " + std::to_string(content.size()) + "\nSHA256: " + sha256(content).hex() + "\n\n";
    }
    write("archive/Packages", packages);
  }

  TemporaryFolder folder_;
};

}  // namespace starling::install
