# Tests of single products, tensor quantization and vector files; included by tests/CMakeLists.txt.
guardbit_test(unit/npy_test.cpp LINK guardbit_trace LABELS unit)
guardbit_test(unit/exact_dot_test.cpp LINK guardbit_probe SYSTEMC LABELS unit)
foreach(test conform_test gemm_verb_test quantize_formats_test quantize_verb_test truths_test)
  guardbit_test(system/${test}.cpp LINK nlohmann_json::nlohmann_json guardbit_base guardbit_arith LABELS system TOOL)
endforeach()
