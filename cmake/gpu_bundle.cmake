# What tools/gpu_bundle installs: programs that look for shared libraries in lib/ beside them first, also for those that libraries ask for
# (the old tag; the new one counts for the program's own only).
foreach(program lorica gpu_device_tests gpu_bench)
  set_target_properties(${program} PROPERTIES INSTALL_RPATH "$ORIGIN/lib")
  target_link_options(${program} PRIVATE LINKER:--disable-new-dtags)
  install(TARGETS ${program} RUNTIME DESTINATION . COMPONENT gpu_bundle)
endforeach()
