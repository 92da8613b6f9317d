#pragma once
// The mark of functions that are compiled for the CPU and for other devices.

#ifdef __CUDACC__
#define LORA_HOST_DEVICE __host__ __device__
#else
#define LORA_HOST_DEVICE
#endif
