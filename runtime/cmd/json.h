/* SPDX-License-Identifier: MIT */
/*
 * json.h - JSON objects, one line per fact.
 */
#ifndef DYNOPT_RUNTIME_JSON_H
#define DYNOPT_RUNTIME_JSON_H

#include <json-c/json.h>
#include <stdio.h>

#include "port.h"

static inline void json_number(struct json_object *to, const char *key, u64 value)
{
	json_object_object_add(to, key, json_object_new_uint64(value));
}

static inline void json_signed(struct json_object *to, const char *key, s64 value)
{
	json_object_object_add(to, key, json_object_new_int64(value));
}

static inline void json_text(struct json_object *to, const char *key, const char *text)
{
	json_object_object_add(to, key, json_object_new_string(text));
}

static inline void json_flag(struct json_object *to, const char *key, bool value)
{
	json_object_object_add(to, key, json_object_new_boolean(value));
}

static inline struct json_object *json_child(struct json_object *to, const char *key)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(to, key, object);
	return object;
}

static inline struct json_object *json_list(struct json_object *to, const char *key)
{
	struct json_object *array = json_object_new_array();

	json_object_object_add(to, key, array);
	return array;
}

static inline struct json_object *json_item(struct json_object *array)
{
	struct json_object *object = json_object_new_object();

	json_object_array_add(array, object);
	return object;
}

static inline void json_print(struct json_object *root, FILE *out)
{
	fprintf(out, "%s\n",
	        json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
	                                                     JSON_C_TO_STRING_NOSLASHESCAPE));
}

#endif
