// DRAM, DMA engines and the TLM-2.0 boundary on sequences worked out by hand. One process per test (SystemC).
#include <gmock/gmock.h>
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include "models/numerics/check.h"
#include "sim/modules/accelerator.h"
#include "tests/support/command_program.h"

namespace guardbit::sim {
namespace {

using tests::load;
using tests::store;
using tests::vector_cycles_command;

units::AcceleratorConfig memory_config() {
  units::AcceleratorConfig config;
  config.scratchpad = {.bytes = 1 << 20, .banks = 4, .bank_bytes_per_cycle = 16};
  config.dma.burst_bytes = 64;
  config.dram = {.bandwidth_bytes_per_cycle = 16, .latency_cycles = 10, .row_bytes = 1024, .row_miss_cycles = 5};
  return config;
}

std::uint64_t cycles_of(Accelerator& machine, std::vector<Command> program) {
  return machine.run(std::move(program), 1).total;
}

struct Initiator : sc_core::sc_module {
  tlm_utils::simple_initiator_socket<Initiator> socket{"socket"};
  SC_HAS_PROCESS(Initiator);
  explicit Initiator(const sc_core::sc_module_name& module_name) : sc_core::sc_module(module_name) {}
  double request(std::uint64_t address, unsigned bytes, double delay_cycles = 0) {
    tlm::tlm_generic_payload transaction;
    std::vector<unsigned char> data(bytes);
    transaction.set_read();
    transaction.set_address(address);
    transaction.set_data_ptr(data.data());
    transaction.set_data_length(bytes);
    transaction.set_streaming_width(bytes);
    sc_core::sc_time delay(delay_cycles, sc_core::SC_NS);
    socket->b_transport(transaction, delay);
    EXPECT_TRUE(transaction.is_response_ok()) << transaction.get_response_string();
    return (sc_core::sc_time_stamp() + delay).to_seconds() * 1e9;
  }
};

TEST(DramModuleTest, CompletionTimesByHand) {
  DramModule dram("dram", memory_config().dram);
  Initiator engine("engine"), other("other");
  engine.socket.bind(dram.load_port);
  other.socket.bind(dram.store_port);
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  EXPECT_DOUBLE_EQ(engine.request(0, 64), 5 + 4 + 10);                   // opens row 0; channel busy until 9
  EXPECT_DOUBLE_EQ(engine.request(64, 64), 9 + 4 + 10);                  // row hit behind it; until 13
  EXPECT_DOUBLE_EQ(other.request(1024, 32), 13 + 5 + 2 + 10);            // row 1 in bank 1; until 20
  EXPECT_DOUBLE_EQ(engine.request(128, 16), 20 + 1 + 10);                // row 0 is still open; until 21
  EXPECT_DOUBLE_EQ(engine.request(8 * 1024, 16), 21 + 5 + 1 + 10);       // row 8 closes row 0 in bank 0; until 27
  EXPECT_DOUBLE_EQ(engine.request(0, 16), 27 + 5 + 1 + 10);              // and back; until 33
  EXPECT_DOUBLE_EQ(engine.request(1024 - 16, 32), 33 + 2 + 10);          // rows 0 and 1, both open; until 35
  EXPECT_DOUBLE_EQ(engine.request(2 * 1024 - 16, 32), 35 + 5 + 2 + 10);  // row 1 open, row 2 not; until 42
  EXPECT_DOUBLE_EQ(engine.request(0, 16, /*delay_cycles=*/100), 100 + 1 + 10);  // channel long free
  dram.reset();
  EXPECT_DOUBLE_EQ(engine.request(0, 64), 5 + 4 + 10);
}

TEST(DramModuleTest, BandwidthNeedNotDivideABurst) {
  units::DramConfig config = memory_config().dram;
  config.bandwidth_bytes_per_cycle = 48;  // 64 bytes: 4/3 cycles
  config.row_miss_cycles = 0;
  DramModule dram("dram", config);
  Initiator engine("engine"), other("other");
  engine.socket.bind(dram.load_port);
  other.socket.bind(dram.store_port);
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  EXPECT_DOUBLE_EQ(engine.request(0, 64), 12);    // 4/3 rounded up, + 10
  EXPECT_DOUBLE_EQ(engine.request(64, 64), 13);   // 8/3
  EXPECT_DOUBLE_EQ(engine.request(128, 64), 15);  // 4 and a rounding of 2^-20 cycles upwards
  for (std::uint64_t i = 3; i < 2999; ++i) engine.request(64 * i, 64);
  EXPECT_NEAR(engine.request(64 * 2999, 64), 4000 + 10, 1);
}

TEST(DramModuleTest, ZeroBytesAreRefused) {
  DramModule dram("dram", memory_config().dram);
  Initiator engine("engine"), other("other");
  engine.socket.bind(dram.load_port);
  other.socket.bind(dram.store_port);
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  tlm::tlm_generic_payload transaction;
  transaction.set_data_length(0);
  sc_core::sc_time delay;
  engine.socket->b_transport(transaction, delay);
  EXPECT_TRUE(transaction.is_response_error());
}

TEST(DmaModuleTest, BandwidthLimitsLongTransfersLatencyIsPaidOnce) {
  Accelerator machine("machine", memory_config());
  // 64 KiB: 4096 cycles, 64 rows opened, one latency; in one command or in 64, whose bursts follow without a gap.
  const std::uint64_t expected = 4096 + 64 * 5 + 10;
  EXPECT_EQ(cycles_of(machine, {load(0, 65536, 0)}), expected);
  std::vector<Command> pieces;
  for (TokenId i = 0; i < 64; ++i) pieces.push_back(load(i * 1024, 1024, i));
  EXPECT_EQ(cycles_of(machine, pieces), expected);
  for (TokenId i = 0; i < 64; ++i) pieces[i] = store(i * 1024, 1024, i);
  EXPECT_EQ(cycles_of(machine, pieces), expected);
}

TEST(DmaModuleTest, DependentTransfersPayTheLatencyEach) {
  Accelerator machine("machine", memory_config());
  EXPECT_EQ(cycles_of(machine, {load(0, 64, 0), load(64, 64, 1, {0}), load(128, 64, 2, {1})}), 5u + 3 * (4 + 10));
}

TEST(DmaModuleTest, AlternatingRowsOfOneBankMissEveryTime) {
  Accelerator machine("machine", memory_config());
  std::vector<Command> program;
  for (TokenId i = 0; i < 10; ++i) program.push_back(load((i % 2) * 8 * 1024, 64, i));
  EXPECT_EQ(cycles_of(machine, program), 10u * (5 + 4) + 10);
}

TEST(DmaModuleTest, ScratchpadPortsLimitTheRate) {
  units::AcceleratorConfig config = memory_config();
  config.scratchpad.banks = 1;
  config.scratchpad.bank_bytes_per_cycle = 4;  // a quarter of the DRAM's bandwidth
  config.dram.row_miss_cycles = 0;
  Accelerator machine("machine", config);
  EXPECT_EQ(cycles_of(machine, {load(0, 4096, 0)}), 1024u);
  EXPECT_EQ(cycles_of(machine, {store(0, 4096, 0)}), 1024u);
}

TEST(DmaModuleTest, ASecondChannelOvertakesACommandThatWaits) {
  units::AcceleratorConfig config = memory_config();
  Accelerator one("one", config);
  config.dma.channels = 2;
  Accelerator two("two", config);
  // The first load waits 50 cycles for the vector unit, the second for nothing.
  const std::vector<Command> program = {tests::vector_cycles_command(50, 0), load(0, 64, 1, {0}), load(64, 64, 2)};
  const CycleReport in_order = one.run(program, 1);
  EXPECT_EQ(in_order.total, 50u + 5 + 4 + 4 + 10);
  EXPECT_EQ(in_order.units[0], (UnitCycles{.busy = 23, .token_wait = 50}));
  const CycleReport overtaking = two.run(program, 1);
  EXPECT_EQ(overtaking.total, 50u + 4 + 10) << "the second load has opened the row";
  EXPECT_EQ(overtaking.units[0], (UnitCycles{.busy = 19 + 14, .token_wait = 50 - 19}));
}

TEST(DmaModuleTest, ZeroBytesTakeNoTime) {
  Accelerator machine("machine", memory_config());
  EXPECT_EQ(cycles_of(machine, {load(0, 0, 0), vector_cycles_command(3, 1, {0}), store(0, 0, 2, {1})}), 3u);
}

TEST(DmaModuleTest, UnlimitedMemoryTakesNoTimeButCountsBytes) {
  Accelerator machine("machine", memory_config(), {.unlimited_memory = true});
  const CycleReport report =
      machine.run({load(0, 1 << 20, 0), vector_cycles_command(7, 1, {0}), store(0, 1 << 20, 2, {1})}, 1);
  EXPECT_EQ(report.total, 7u);
  EXPECT_EQ(report.ops[0].dram_bytes, std::uint64_t{2} << 20);
  EXPECT_EQ(report.units[0], UnitCycles{.idle = 7});
}

TEST(DmaModuleTest, LoadAndStoreShareTheChannelBurstByBurst) {
  units::AcceleratorConfig config = memory_config();
  config.dram.row_miss_cycles = 0;
  Accelerator machine("machine", config);
  std::vector<Command> program = {load(0, 16384, 0), store(1 << 16, 16384, 1)};
  program[1].op_index = 1;
  const CycleReport report = machine.run(program, 2);
  EXPECT_EQ(report.total, 2u * 1024 + 10);
  // Neither is through much before the other: they differ by less than the bursts in flight.
  EXPECT_NEAR(static_cast<double>(report.ops[0].end), 2048 + 10, 10 * 4);
  EXPECT_NEAR(static_cast<double>(report.ops[1].end), 2048 + 10, 10 * 4);
}

TEST(DmaModuleTest, OfTwoBurstsInOneCycleTheLoadIsFirst) {
  for (const bool store_first : {true, false}) {
    static Accelerator machine("machine", memory_config());
    std::vector<Command> program = {load(0, 64, 0), store(64, 64, 1)};
    program[1].op_index = 1;
    if (store_first) std::swap(program[0], program[1]);
    const CycleReport report = machine.run(program, 2);
    EXPECT_EQ(report.ops[0].end, 5u + 4 + 10);
    EXPECT_EQ(report.ops[1].end, 5u + 8 + 10);
  }
}

TEST(DmaModuleTest, OtherUnitsKnowWholeCyclesOnly) {
  units::AcceleratorConfig config = memory_config();
  config.sequencer.queue_depth = 1;
  Accelerator machine("machine", config);
  // The store engine asks in the second half of cycle 0, so it takes its next command, and the sequencer gets to the
  // vector command, in cycle 1.
  std::vector<Command> program = {store(0, 64, 0), store(64, 64, 1), store(128, 64, 2), vector_cycles_command(5, 3)};
  program[3].op_index = 1;
  const CycleReport report = machine.run(program, 2);
  EXPECT_EQ(report.ops[1].start, 1u);
  EXPECT_EQ(report.ops[1].end, 6u);
}

/// A memory as somebody else would write it: blocks for `cycles` in b_transport and remembers what it was asked.
struct ForeignMemory : sc_core::sc_module {
  tlm_utils::simple_target_socket<ForeignMemory> socket{"socket"};
  double cycles = 3;
  bool refuse = false;
  std::vector<std::pair<std::uint64_t, unsigned>> reads, writes;
  SC_HAS_PROCESS(ForeignMemory);
  explicit ForeignMemory(const sc_core::sc_module_name& module_name) : sc_core::sc_module(module_name) {
    socket.register_b_transport(this, &ForeignMemory::b_transport);
  }
  void b_transport(tlm::tlm_generic_payload& transaction, sc_core::sc_time& delay) {
    auto& list = transaction.is_read() ? reads : writes;
    list.emplace_back(transaction.get_address(), transaction.get_data_length());
    EXPECT_EQ(transaction.get_streaming_width(), transaction.get_data_length());
    EXPECT_EQ(transaction.get_byte_enable_ptr(), nullptr);
    for (unsigned i = 0; i < transaction.get_data_length(); ++i) transaction.get_data_ptr()[i] = 0xA5;
    wait(delay + sc_core::sc_time(cycles, sc_core::SC_NS));
    delay = sc_core::SC_ZERO_TIME;
    transaction.set_response_status(refuse ? tlm::TLM_ADDRESS_ERROR_RESPONSE : tlm::TLM_OK_RESPONSE);
  }
};

TEST(ForeignMemoryTest, AnotherTlmTargetCanBeBound) {
  ForeignMemory read_memory("read_memory"), write_memory("write_memory");
  Accelerator machine("machine", memory_config(),
                      {.bind_memory = [&](std::size_t engine, tlm::tlm_initiator_socket<>& socket) {
                        socket.bind(engine == 0 ? read_memory.socket : write_memory.socket);
                      }});
  // Bursts end at multiples of 64: 40..63, 64..127, 128..139; a blocking target takes them one by one.
  const CycleReport report = machine.run({load(40, 100, 0), store(256, 64, 1, {0})}, 1);
  EXPECT_EQ(report.total, 3u * 3 + 3);
  EXPECT_THAT(read_memory.reads,
              testing::ElementsAre(testing::Pair(40, 24), testing::Pair(64, 64), testing::Pair(128, 12)));
  EXPECT_THAT(write_memory.writes, testing::ElementsAre(testing::Pair(256, 64)));
  EXPECT_TRUE(read_memory.writes.empty() && write_memory.reads.empty());
  for (const UnitCycles& unit : report.units) EXPECT_EQ(unit.total(), report.total);

  read_memory.cycles = 2.25;  // a burst is there in the next whole cycle
  EXPECT_EQ(machine.run({load(0, 64, 0)}, 1).total, 3u);
  // ... and nobody else ever sees a fraction: behind two bursts of 2.25 cycles, 5 vector cycles end in cycle 10.
  EXPECT_EQ(machine.run({load(0, 128, 0), vector_cycles_command(5, 1, {0}), store(0, 64, 2)}, 1).total, 10u);
}

TEST(ForeignMemoryTest, ErrorResponsesAreReportedWithTheAddress) {
  ForeignMemory memory("memory"), other("other");
  Accelerator machine("machine", memory_config(),
                      {.bind_memory = [&](std::size_t engine, tlm::tlm_initiator_socket<>& socket) {
                        socket.bind(engine == 0 ? memory.socket : other.socket);
                      }});
  memory.refuse = true;
  try {
    machine.run({load(4096, 64, 0), vector_cycles_command(1, 1, {0})}, 1);
    FAIL() << "an error response was taken for data";
  } catch (const InternalError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("machine.load: TLM_ADDRESS_ERROR_RESPONSE at address 4096"));
  }
  memory.refuse = false;
  EXPECT_EQ(machine.run({load(4096, 64, 0)}, 1).total, 3u);
}

}  // namespace
}  // namespace guardbit::sim
