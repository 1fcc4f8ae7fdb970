package pluginrunner

import (
	"encoding"
	"fmt"
	"reflect"
	"time"
	"unicode/utf8"
)

func keyOf(key reflect.Value, at *place) (string, error) {
	for key.Kind() == reflect.Interface && !key.IsNil() {
		key = key.Elem()
	}
	name, err := keyText(key, at)
	if err == nil && !utf8.ValidString(name) {
		return "", refuse(&place{at, name}, "is a key that is not valid UTF-8")
	}
	return name, err
}

func keyText(key reflect.Value, at *place) (string, error) {
	if key.Kind() == reflect.String {
		return key.String(), nil
	}
	if given, ok := key.Interface().(encoding.TextMarshaler); ok {
		text, err := given.MarshalText()
		if err != nil {
			return "", &misfit{at: at, what: "has a key that cannot be encoded: " + err.Error(), cause: err}
		}
		return string(text), nil
	}
	switch key.Kind() {
	case reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if span, ok := key.Interface().(time.Duration); ok {
			return isoDuration(span), nil
		}
		return fmt.Sprint(key.Interface()), nil
	default:
		return "", refuse(at, "has a key of type %s, which is no text", key.Type())
	}
}
