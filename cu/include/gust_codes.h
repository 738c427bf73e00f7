/* Numbers that cross the ABI: status codes and element types. Apart from gust.h, so that kernels do not hang on the
 * functions that it declares. */
#ifndef GUST_CODES_H
#define GUST_CODES_H

/* Status codes. */
enum {
  GUST_OK = 0,
  GUST_EINVAL = -1,  /* an argument is out of range or inconsistent */
  GUST_ENOMEM = -2,  /* out of memory */
  GUST_EIO = -3,     /* a system call failed; the text names it */
  GUST_EDATA = -4,   /* the input holds something illegal; the text names the place */
  GUST_EPIPE = -5,   /* the reader of a pipe has gone away */
  GUST_ENOSYS = -6,  /* this library (or machine) cannot do it; the text says what is missing */
  GUST_EFAIL = -7,   /* internal failure */
  GUST_EEOF = -8     /* the input ended before the announced size */
};

/* Element types, named as safetensors names them. */
enum {
  GUST_F64 = 0, GUST_F32 = 1, GUST_F16 = 2, GUST_BF16 = 3,
  GUST_I64 = 4, GUST_I32 = 5, GUST_I16 = 6, GUST_I8 = 7,
  GUST_U64 = 8, GUST_U32 = 9, GUST_U16 = 10, GUST_U8 = 11, GUST_BOOL = 12
};

#endif
