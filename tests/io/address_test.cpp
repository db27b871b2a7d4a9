// SPDX-License-Identifier: MIT
#include "weft/address.hpp"

#include <gtest/gtest.h>
#include <net/if.h>

#include <set>
#include <stdexcept>
#include <string>
#include <unordered_set>

namespace weft {
namespace {

TEST(address, texts_are_read_back) {
  for (const char* text :
       {"127.0.0.1:80", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:80", "[::]:0", "[2001:db8::1:0:0:1]:443",
        "[::ffff:192.0.2.1]:7", "unix:/run/app.sock", "unix:@hidden", "unix:relative", "unix:@", "unix:"}) {
    EXPECT_EQ(address::parse(text).to_string(), text);
  }
  EXPECT_EQ(address::parse("/run/app.sock"), address::unix_path("/run/app.sock"));
  EXPECT_EQ(address::parse("[2001:DB8:0:0:1:0:0:1]:1").to_string(), "[2001:db8::1:0:0:1]:1");  // RFC 5952
}

TEST(address, texts_that_are_none_are_refused) {
  const std::string too_long = "unix:/" + std::string(107, 'x');
  for (const std::string text : {"",
                                 ":",
                                 "127.0.0.1",
                                 "127.0.0.1:",
                                 "127.0.0.1:65536",
                                 "127.0.0.1:-1",
                                 "127.0.0.1: 80",
                                 "127.0.0.1:+80",
                                 "127.0.0.1:80 ",
                                 "127.1:80",
                                 "[127.0.0.1]:80",
                                 "::1:80",
                                 "[::1]",
                                 "[::1]80",
                                 "[]:80",
                                 "[:::]:80",
                                 "localhost:80",
                                 "[fe80::1%]:80",
                                 "[fe80::1%no_such_interface]:80",
                                 "unix:\\x",
                                 "unix:\\x4",
                                 "unix:\\xzz",
                                 "unix:/a\\x00b",
                                 too_long.c_str()}) {
    EXPECT_FALSE(address::try_parse(text)) << text;
    EXPECT_THROW(static_cast<void>(address::parse(text)), std::invalid_argument) << text;
  }
  EXPECT_THROW(static_cast<void>(address::ip("localhost", 1)), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(address::ip(std::string_view("1.2.3.4\0", 8), 1)), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(address::unix_path("")), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(address::unix_path(std::string(108, 'x'))), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(address::abstract(std::string(108, 'x'))), std::invalid_argument);
  EXPECT_NO_THROW(static_cast<void>(address::unix_path(std::string(107, 'x'))));
  const char zeros[sizeof(sockaddr_storage)] = {};
  EXPECT_THROW(static_cast<void>(address::from_native(reinterpret_cast<const sockaddr*>(zeros), sizeof zeros)),
               std::invalid_argument);
}

TEST(address, a_scope_is_a_name_or_a_number) {
  const unsigned lo = if_nametoindex("lo");
  ASSERT_NE(lo, 0U);
  const address by_name = address::parse("[fe80::1%lo]:80");
  EXPECT_EQ(by_name.scope_id(), lo);
  EXPECT_EQ(by_name, address::ip("fe80::1%" + std::to_string(lo), 80));
  EXPECT_EQ(by_name.to_string(), "[fe80::1%lo]:80");
  EXPECT_EQ(address::ip("fe80::1%987654", 80).ip(), "fe80::1%987654");
  EXPECT_TRUE(by_name.is_link_local());
  EXPECT_NE(by_name, address::ip("fe80::1", 80));
}

TEST(address, bytes_that_do_not_print_are_escaped) {
  const std::string name("a\0b\\\xff", 5);
  const address a = address::abstract(name);
  EXPECT_TRUE(a.is_abstract());
  EXPECT_EQ(a.path(), name);
  EXPECT_EQ(a.to_string(), "unix:@a\\x00b\\x5c\\xff");
  EXPECT_EQ(address::parse(a.to_string()), a);
}

TEST(address, parts) {
  const address a = address::ip("::1", 80);
  EXPECT_TRUE(a.is_ipv6() && a.is_ip() && a.is_loopback());
  EXPECT_FALSE(a.is_ipv4() || a.is_unix() || a.is_any() || a.is_multicast() || a.is_link_local());
  EXPECT_EQ(a.port(), 80);
  EXPECT_EQ(a.with_port(81).port(), 81);
  EXPECT_EQ(a.ip(), "::1");
  EXPECT_EQ(a.size(), sizeof(sockaddr_in6));
  EXPECT_TRUE(address::any(AF_INET, 1).is_any());
  EXPECT_TRUE(address::any(AF_INET6, 1).is_any());
  EXPECT_EQ(address::loopback(AF_INET, 1), address::ip("127.0.0.1", 1));
  EXPECT_EQ(address::any(AF_UNIX, 1), address::any(AF_INET, 1)) << "any other family is taken as IPv4";
  EXPECT_EQ(address::loopback(AF_INET6, 1), address::ip("::1", 1));
  EXPECT_TRUE(address::ip("127.8.8.8", 1).is_loopback());
  EXPECT_TRUE(address::ip("::ffff:127.0.0.1", 1).is_loopback());
  EXPECT_FALSE(address::ip("::ffff:10.0.0.1", 1).is_loopback());
  EXPECT_TRUE(address::ip("224.0.0.1", 1).is_multicast());
  EXPECT_TRUE(address::ip("ff02::1", 1).is_multicast());
  EXPECT_TRUE(address::ip("169.254.0.1", 1).is_link_local());
  EXPECT_EQ(address::ip("::ffff:10.0.0.1", 9).unmapped(), address::ip("10.0.0.1", 9));
  EXPECT_EQ(a.unmapped(), a);
  const address nobody;
  EXPECT_EQ(nobody.size(), 0U);
  EXPECT_EQ(nobody.family(), AF_UNSPEC);
  EXPECT_EQ(nobody.to_string(), "unspecified");
  EXPECT_EQ(nobody.path(), "");
  EXPECT_EQ(address::parse("unix:/x").with_port(3), address::parse("unix:/x"));
}

TEST(address, what_the_kernel_fills_in_is_read) {
  address_room room;
  EXPECT_EQ(room.get().family(), AF_UNSPEC);
  const address from = address::ip("10.1.2.3", 4);
  std::copy_n(reinterpret_cast<const char*>(from.data()), from.size(), reinterpret_cast<char*>(room.data()));
  *room.size() = from.size();
  EXPECT_EQ(room.get(), from);
  // unix(7): a path of 108 bytes has no zero at its end, and an unnamed socket has the family alone.
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  std::fill(std::begin(local.sun_path), std::end(local.sun_path), 'p');
  EXPECT_EQ(address::from_native(reinterpret_cast<sockaddr*>(&local), sizeof local).path(), std::string(108, 'p'));
  EXPECT_EQ(address::from_native(reinterpret_cast<sockaddr*>(&local), sizeof(sa_family_t)).to_string(), "unix:");
}

TEST(address, they_have_an_order_and_a_hash) {
  const std::set<address> sorted{address::parse("127.0.0.1:2"), address::parse("127.0.0.1:1"),
                                 address::parse("[::1]:1"),     address::parse("unix:/a"),
                                 address::parse("unix:@a"),     address(),
                                 address::parse("127.0.0.1:1")};
  EXPECT_EQ(sorted.size(), 6U);
  EXPECT_LT(address::parse("127.0.0.1:1"), address::parse("127.0.0.1:2"));
  const std::unordered_set<address> hashed(sorted.begin(), sorted.end());
  for (const address& a : sorted) EXPECT_EQ(hashed.count(a), 1U) << a.to_string();
  std::set<std::size_t> sums;
  for (const address& a : sorted) sums.insert(std::hash<address>{}(a));
  EXPECT_EQ(sums.size(), sorted.size());
}

}  // namespace
}  // namespace weft
