# Tests of units; included by tests/CMakeLists.txt.
foreach(unit accelerator_config activation arithmetic eltwise function hadamard_matrix kv_cache matrix narrow_operand norm pe_arithmetic rotate rsqrt smooth
             softmax)
  guardbit_test(unit/${unit}_unit_test.cpp LINK guardbit_units LABELS unit)
endforeach()
guardbit_test(unit/affine_product_test.cpp LINK guardbit_units mpfr gmp LABELS unit)
guardbit_test(unit/cost_model_test.cpp LINK guardbit_units LABELS unit)
guardbit_test(exhaustive/activation_fp16_test.cpp LINK guardbit_units mpfr gmp LABELS exhaustive)
