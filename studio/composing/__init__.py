"""From a brief to a score: form, harmony, melody, accompaniment and drums."""
